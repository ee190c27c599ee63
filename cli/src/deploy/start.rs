//! How functions are started, as their authors read it.

use crate::api::{Function, Start};
use crate::term::harmless;

/// Microseconds as milliseconds, with as many digits as say something.
fn ms(us: u64) -> String {
    let ms = us as f64 / 1_000.0;
    match us {
        0..100 => format!("{ms:.2} ms"),
        100..10_000 => format!("{ms:.1} ms"),
        _ => format!("{ms:.0} ms"),
    }
}

/// `pooled in 0.03 ms (snapshot 1.6 ms)`: the way in use, and what the other way would cost.
pub fn brief(start: &Start) -> String {
    let cost = |plan: &str| match plan {
        "pooled" => start.pooled_us,
        "snapshot" => start.snapshot_us,
        _ => start.source_us,
    };
    let mut text = harmless(&start.plan, false).into_owned();
    // A function that was only checked starts in a spare isolate, from its text.
    if let Some(us) = cost(&start.plan).or(start.source_us) {
        text.push_str(&format!(" in {}", ms(us)));
    }
    let others = ["snapshot", "pooled"].into_iter().filter(|other| *other != start.plan);
    let others: Vec<String> = others.filter_map(|other| Some(format!("{other} {}", ms(cost(other)?)))).collect();
    if !others.is_empty() {
        text.push_str(&format!(" ({})", others.join(", ")));
    }
    if start.building {
        text.push_str(", for now");
    }
    text
}

/// For each function without a snapshot: why, and what to change. Reasons that several functions
/// share are said once.
pub fn refusals(functions: &[Function]) -> Vec<String> {
    let mut reasons: Vec<(&str, Option<&str>, Vec<&str>)> = Vec::new();
    for function in functions {
        let Some(start) = &function.start else { continue };
        let Some(reason) = start.refused.as_deref() else { continue };
        match reasons.iter_mut().find(|(known, ..)| *known == reason) {
            Some((.., names)) => names.push(&function.name),
            None => reasons.push((reason, start.hint.as_deref(), vec![&function.name])),
        }
    }
    let said = reasons.into_iter().flat_map(|(reason, hint, names)| {
        let names = names.iter().map(|name| harmless(name, false)).collect::<Vec<_>>().join(", ");
        let why = format!("{names}: no snapshot: {}", harmless(reason, false));
        let change = hint.map(|hint| format!("  to get one: {}", harmless(hint, false)));
        [Some(why), change].into_iter().flatten()
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(plan: &str, costs: [Option<u64>; 3]) -> Start {
        let [source_us, pooled_us, snapshot_us] = costs;
        Start { plan: plan.to_owned(), source_us, pooled_us, snapshot_us, ..Start::default() }
    }

    #[test]
    fn the_way_in_use_comes_first() {
        assert_eq!(brief(&start("pooled", [Some(90), Some(30), Some(1_600)])), "pooled in 0.03 ms (snapshot 1.6 ms)");
        assert_eq!(
            brief(&start("snapshot", [Some(60_000), Some(24_100), Some(7_700)])),
            "snapshot in 7.7 ms (pooled 24 ms)"
        );
        assert_eq!(brief(&start("pooled", [Some(1_500), None, None])), "pooled in 1.5 ms");
        let mut unknown = start("pooled", [None; 3]);
        unknown.building = true;
        assert_eq!(brief(&unknown), "pooled, for now");
    }

    #[test]
    fn a_refusal_says_why_and_what_to_change() {
        let function = |name: &str, refused: Option<&str>| Function {
            name: name.to_owned(),
            routes: Vec::new(),
            urls: Vec::new(),
            start: Some(Start {
                refused: refused.map(str::to_owned),
                hint: refused.map(|_| "draw them later".to_owned()),
                ..Start::default()
            }),
        };
        let functions = [
            function("a", Some("start-up uses Math.random")),
            function("b", None),
            function("c", Some("start-up uses Math.random")),
        ];
        assert_eq!(
            refusals(&functions),
            ["a, c: no snapshot: start-up uses Math.random", "  to get one: draw them later"]
        );
    }
}
