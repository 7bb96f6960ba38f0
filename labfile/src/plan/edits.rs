//! How one ordered list becomes another with the fewest insertions and deletions.

/// One entry of the list that holds both: what stays, what comes, what goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// In both lists.
    Keep,
    /// At this index of the new list.
    Add(usize),
    /// At this index of the old list.
    Remove(usize),
}

/// Both lists in one, by a longest common subsequence; where entries are replaced, the new come
/// first.
///
/// Time and memory grow with the product of what is left between a common start and a common end.
pub(super) fn between<T: PartialEq>(old: &[T], new: &[T]) -> Vec<Edit> {
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let ends = old_rest.iter().rev().zip(new_rest.iter().rev());
    let end = ends.take_while(|(old, new)| old == new).count();
    let old_rest = &old_rest[..old_rest.len() - end];
    let new_rest = &new_rest[..new_rest.len() - end];

    let common = common_lengths(old_rest, new_rest);
    let mut edits = vec![Edit::Keep; start];
    let (mut from, mut to) = (0, 0);
    while from < old_rest.len() || to < new_rest.len() {
        if from < old_rest.len() && to < new_rest.len() && old_rest[from] == new_rest[to] {
            edits.push(Edit::Keep);
            from += 1;
            to += 1;
        } else if to < new_rest.len()
            && (from == old_rest.len() || common[from][to + 1] >= common[from + 1][to])
        {
            edits.push(Edit::Add(start + to));
            to += 1;
        } else {
            edits.push(Edit::Remove(start + from));
            from += 1;
        }
    }
    edits.extend(std::iter::repeat_n(Edit::Keep, end));
    edits
}

/// `[i][j]`: how many entries `old[i..]` and `new[j..]` have in common, in order.
fn common_lengths<T: PartialEq>(old: &[T], new: &[T]) -> Vec<Vec<u16>> {
    let mut lengths = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i][j] = if old[i] == new[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    #[test]
    fn a_replaced_entry_comes_before_it_goes() {
        assert_eq!(
            between(&["a", "b", "c"], &["a", "x", "c"]),
            [Edit::Keep, Edit::Add(1), Edit::Remove(1), Edit::Keep]
        );
        assert_eq!(between(&["a"], &["a"]), [Edit::Keep]);
        assert_eq!(between::<u8>(&[], &[]), []);
    }

    proptest! {
        #[test]
        fn the_edits_turn_one_list_into_the_other(
            old in prop::collection::vec(0..5_u8, 0..12),
            new in prop::collection::vec(0..5_u8, 0..12),
        ) {
            let edits = between(&old, &new);
            let mut list = old.clone();
            for (at, edit) in edits.iter().enumerate() {
                if let Edit::Add(index) = edit {
                    list.insert(at, new[*index]);
                }
            }
            for (at, edit) in edits.iter().enumerate().rev() {
                if let Edit::Remove(index) = edit {
                    assert_eq!(list.remove(at), old[*index]);
                }
            }
            assert_eq!(list, new);
        }
    }
}
