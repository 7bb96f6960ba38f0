//! Nanoseconds a frame through the pure switch, by kind of work: `cargo bench -p tapswitch-bench`.
//!
//! Only the time inside the switch counts (see `rig`). `cargo run --release -p tapswitch-bench
//! --bin pure` prints a summary beside the targets in well under a minute.

use std::time::Duration;

use bench::{Rig, Traffic, work};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn measure<T: Traffic>(criterion: &mut Criterion, name: &str, mut rig: Rig<T>) {
    let mut group = criterion.benchmark_group("pure");
    group.throughput(Throughput::Elements(1));
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    group.bench_function(name, |bencher| bencher.iter_custom(|frames| rig.run(frames)));
    group.finish();
}

fn pure(criterion: &mut Criterion) {
    measure(criterion, "bridged/1k stations", work::bridged(1_000));
    measure(criterion, "bridged/100k stations", work::bridged(100_000));
    measure(criterion, "flooded/16 ports", work::flooded());
    measure(criterion, "routed/200 routes", work::routed());
    measure(criterion, "translated/1k flows", work::translated(1_000));
    measure(criterion, "translated/64k flows", work::translated(64_000));
    measure(criterion, "translated/1M flows", work::translated(1_000_000));
    measure(criterion, "new flows", work::opening());
}

criterion_group!(benches, pure);
criterion_main!(benches);
