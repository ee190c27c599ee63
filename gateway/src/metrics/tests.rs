use super::*;
use crate::cells::fake::spec;

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.encode()).unwrap()
}

fn used(metrics: &Metrics, function: &str, now: Instant) -> Arc<FunctionMetrics> {
    used_by(metrics, "acme", function, now)
}

fn used_by(metrics: &Metrics, tenant: &str, function: &str, now: Instant) -> Arc<FunctionMetrics> {
    let set = metrics.function(&spec(tenant, "blog", function), now);
    set.begin();
    set.start(StartKind::Pooled, 300);
    set.end(Outcome::Ok, Duration::from_millis(3), 1_500);
    set
}

#[test]
fn an_invocation_is_counted_under_its_names() {
    let now = Instant::now();
    let metrics = Metrics::new(10, now).unwrap();
    used(&metrics, "hello", now);
    let text = text(&metrics);
    for line in [
        r#"isle_invocations_total{app="blog",function="hello",outcome="ok",tenant="acme"} 1"#,
        r#"isle_invocation_cpu_seconds_total{app="blog",function="hello",tenant="acme"} 0.0015"#,
        r#"isle_invocation_duration_seconds_bucket{app="blog",function="hello",tenant="acme",le="0.005"} 1"#,
        r#"isle_starts_total{app="blog",function="hello",kind="pooled",tenant="acme"} 1"#,
        r#"isle_start_duration_seconds_count{app="blog",function="hello",kind="pooled",tenant="acme"} 1"#,
        r#"isle_in_flight{app="blog",function="hello",tenant="acme"} 0"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("handler_threw"), "a series is made when it is first needed");
}

#[test]
fn beyond_the_cap_functions_share_one_label_set() {
    let now = Instant::now();
    let metrics = Metrics::new(2, now).unwrap();
    for (tenant, function) in [("acme", "one"), ("b", "two"), ("c", "three"), ("d", "four"), ("acme", "one")] {
        used_by(&metrics, tenant, function, now);
    }
    let text = text(&metrics);
    assert!(text.contains(r#"isle_invocations_total{app="other",function="other",outcome="ok",tenant="other"} 2"#));
    assert!(text.contains(r#"isle_invocations_total{app="blog",function="one",outcome="ok",tenant="acme"} 2"#));
    assert!(!text.contains("three"));
}

#[test]
fn an_idle_label_set_is_dropped_and_a_busy_one_is_not() {
    let start = Instant::now();
    let metrics = Metrics::new(100, start).unwrap();
    used(&metrics, "idle", start);
    let busy = used(&metrics, "busy", start);
    busy.begin();
    assert!(metrics.expire(start + LABEL_SET_IDLE - Duration::from_secs(1)).is_empty());
    used(&metrics, "recent", start + LABEL_SET_IDLE);
    let dropped = metrics.expire(start + LABEL_SET_IDLE);
    assert_eq!(dropped.len(), 1);
    let text = text(&metrics);
    assert!(!text.contains("idle\""), "{text}");
    assert!(text.contains("recent") && text.contains("busy"));
}

#[test]
fn a_tenant_has_a_quarter_of_the_label_sets_at_the_most() {
    let now = Instant::now();
    let metrics = Metrics::new(10, now).unwrap();
    let own = |tenant: &str| (0..20).filter(|n| !used_by(&metrics, tenant, &n.to_string(), now).is_other()).count();
    assert_eq!(["a", "b", "c", "d", "e", "f"].map(own), [2, 2, 2, 2, 2, 0]);
}

#[test]
fn what_nobody_holds_gives_way_where_there_is_no_room_and_only_there() {
    let now = Instant::now();
    let metrics = Metrics::new(8, now).unwrap();
    let is_there = |tenant: &str, function: &str| metrics.known(&spec(tenant, "blog", function), now).is_some();
    let held = used_by(&metrics, "crowded", "held", now);
    for (tenant, function) in [("crowded", "gone"), ("roomy", "gone")] {
        used_by(&metrics, tenant, function, now);
    }
    assert!(used_by(&metrics, "crowded", "new", now).is_other());
    metrics.make_room();
    assert!(is_there("crowded", "held") && !is_there("crowded", "gone") && is_there("roomy", "gone"));
    assert!(!text(&metrics).contains(r#"function="gone",outcome="ok",tenant="crowded""#));
    assert!(!used_by(&metrics, "crowded", "new", now).is_other());
    drop(held);
    for (tenant, function) in [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "1")] {
        used_by(&metrics, tenant, function, now);
    }
    assert!(used_by(&metrics, "d", "1", now).is_other(), "all are taken");
    metrics.make_room();
    assert!(!is_there("roomy", "gone") && !used_by(&metrics, "d", "1", now).is_other());
}
