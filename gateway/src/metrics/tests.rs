use super::*;
use crate::cells::fake::spec;

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.encode()).unwrap()
}

fn used(metrics: &Metrics, function: &str, now: Instant) -> Arc<FunctionMetrics> {
    let set = metrics.function(&spec("acme", "blog", function), now);
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
    for function in ["one", "two", "three", "four", "one"] {
        used(&metrics, function, now);
    }
    let text = text(&metrics);
    assert!(text.contains(r#"isle_invocations_total{app="other",function="other",outcome="ok",tenant="other"} 2"#));
    assert!(text.contains(r#"isle_invocations_total{app="blog",function="one",outcome="ok",tenant="acme"} 2"#));
    assert!(!text.contains("three"));
}

#[test]
fn an_idle_label_set_is_dropped_and_a_busy_one_is_not() {
    let start = Instant::now();
    let metrics = Metrics::new(10, start).unwrap();
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
