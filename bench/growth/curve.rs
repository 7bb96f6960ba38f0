//! Figures by number of things, and how they grow.

/// Curves that share their axes.
#[derive(Debug)]
pub(crate) struct Panel {
    /// What a figure is, as in "ms a port".
    pub(crate) unit: &'static str,
    /// What is counted along the other axis.
    pub(crate) things: &'static str,
    pub(crate) curves: Vec<Curve>,
    /// What the figures should be.
    pub(crate) targets: Vec<Target>,
}

/// One cost, by number of things, which ascends.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<Point>,
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Point {
    pub(crate) things: u32,
    pub(crate) cost: f64,
}

/// An upper bound for one figure.
#[derive(Debug)]
pub(crate) struct Target {
    /// What should be small, in words, with its unit.
    pub(crate) what: String,
    pub(crate) found: f64,
    pub(crate) most: f64,
}

impl Curve {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, points: Vec::new() }
    }

    pub(crate) fn push(&mut self, things: u32, cost: f64) {
        self.points.push(Point { things, cost });
    }

    /// The cost at exactly so many things.
    pub(crate) fn at(&self, things: u32) -> Option<f64> {
        self.points.iter().find(|point| point.things == things).map(|point| point.cost)
    }

    /// By what the cost was multiplied for each tenfold number of things, up to `things`: compared
    /// with the nearest point that has a tenth of them or less. 1 is linear growth of the
    /// whole.
    pub(crate) fn factor(&self, things: u32) -> Option<f64> {
        let cost = self.at(things)?;
        let mut below = self.points.iter().filter(|it| u64::from(it.things) * 10 <= things.into());
        let before = below.next_back().filter(|before| before.cost > 0.0)?;
        let decades = (f64::from(things) / f64::from(before.things)).log10();
        Some((cost / before.cost).powf(1.0 / decades))
    }

    /// The numbers of things up to which the cost rose by more than [`STEEP`] a decade.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (u32, f64)> + '_ {
        let all = self.points.iter().filter_map(|it| Some((it.things, self.factor(it.things)?)));
        all.filter(|(_, factor)| *factor > STEEP)
    }
}

/// The growth of a cost in a decade that is called a step. Caches that are outgrown, one after the
/// other, stay below; a cost that each thing pays for every other thing is 10.
pub(crate) const STEEP: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u32, f64)]) -> Curve {
        let mut curve = Curve::new("a");
        for (things, cost) in points {
            curve.push(*things, *cost);
        }
        curve
    }

    #[test]
    fn a_quadratic_whole_is_a_step_in_every_decade_and_a_linear_one_in_none() {
        let quadratic = curve(&[(10, 1.0), (30, 3.0), (100, 10.0), (1_000, 100.0)]);
        let steps: Vec<u32> = quadratic.steps().map(|(things, _)| things).collect();
        assert_eq!(steps, [100, 1_000]);
        assert!(quadratic.steps().all(|(_, factor)| (factor - 10.0).abs() < 1e-9));
        let linear = curve(&[(10, 1.0), (100, 1.0), (1_000, 1.2)]);
        assert_eq!(linear.steps().count(), 0);
    }

    #[test]
    fn a_factor_is_for_one_decade_however_far_the_points_are_apart() {
        let curve = curve(&[(1, 1.0), (300, 300.0)]);
        assert!((curve.factor(300).unwrap_or(0.0) - 10.0).abs() < 1e-9);
        assert_eq!(curve.factor(1), None);
    }
}
