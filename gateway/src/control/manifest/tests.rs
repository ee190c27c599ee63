//! What manifests may say, and how each mistake is named.

use super::*;

const HEAD: &str = "app = \"blog\"\n[functions.hello]\nentry = \"./lib//hello.js\"\n";

fn ok(text: &str) -> Manifest {
    parse(text, &Limits::default()).unwrap()
}

fn refused(text: &str) -> (String, usize, String) {
    let error = parse(text, &Limits::default()).unwrap_err();
    (error.key, error.line, error.message)
}

#[test]
fn what_is_left_out_has_defaults() {
    let manifest = ok(HEAD);
    let hello = &manifest.functions["hello"];
    assert_eq!((manifest.app.as_str(), hello.entry.as_str(), hello.entry_line), ("blog", "lib/hello.js", 3));
    assert_eq!(hello.routes[0].key().as_ref(), b"$default");
    assert_eq!((&hello.limits, hello.env.len()), (&Limits::default(), 0));
}

#[test]
fn everything_given_is_taken() {
    let manifest = ok(&format!(
        "{HEAD}routes = [\"GET /hello/{{name}}\", \"ANY /x\"]\n\
         [functions.hello.limits]\nwall_ms = 5_000\nheap_mb = 0x20\n[functions.hello.env]\nGREETING = \"hi\"\n\
         [functions.other]\nentry = \"o.mjs\"\n"
    ));
    let hello = &manifest.functions["hello"];
    assert_eq!(hello.routes.iter().map(|r| r.path()).collect::<Vec<_>>(), ["/hello/{name}", "/x"]);
    assert_eq!((hello.limits.wall_ms, hello.limits.heap_mb, hello.limits.handler_cpu_ms), (5_000, 32, 200));
    assert_eq!(hello.env["GREETING"], "hi");
    assert_eq!(manifest.functions.len(), 2);
}

#[test]
fn limits_left_out_follow_a_low_cap_and_given_ones_must_fit_it() {
    let caps = Limits { heap_mb: 64, ..Limits::default() };
    assert_eq!(parse(HEAD, &caps).unwrap().functions["hello"].limits.heap_mb, 64);
    let error = parse(&format!("{HEAD}[functions.hello.limits]\nheap_mb = 65"), &caps).unwrap_err();
    assert_eq!(error.to_string(), "isle.toml:5: `functions.hello.limits.heap_mb` is 65, expected 8 to 64");
}

#[test]
fn everything_wrong_is_said_with_key_and_line() {
    for (text, key, line, part) in [
        ("", "app", 1, "missing"),
        ("app = \n", "", 1, ""),
        ("app = \"blog\"", "functions", 1, "missing"),
        ("app = \"blog\"\n[functions]", "functions", 1, "missing"),
        ("app = 3", "app", 1, "integer"),
        ("\napp = \"Blog\"", "app", 2, "a-z"),
        ("app = \"-a\"", "app", 1, "a-z"),
        (&format!("app = \"{}\"", "a".repeat(64)), "app", 1, "63"),
        ("app = \"b\"\nrotues = 1", "rotues", 2, "`functions`"),
        ("app = \"b\"\n[functions.h]\n", "functions.h.entry", 2, "missing"),
        ("app = \"b\"\n[functions.\"a b\"]\n", "functions.a b", 2, "name"),
        ("[functions.h]\nentry = \"../a.js\"", "functions.h.entry", 2, "`..`"),
        ("[functions.h]\nentry = \"/a.js\"", "functions.h.entry", 2, "absolute"),
        ("[functions.h]\nentry = \"a.json\"", "functions.h.entry", 2, ".mjs"),
        ("[functions.h]\nentry = \"a.js\"\nroute = []", "functions.h.route", 3, "`routes`"),
        ("[functions.h]\nentry = \"a.js\"\nroutes = []", "functions.h.routes", 3, "empty"),
        ("[functions.h]\nroutes = [\n\"$default\",\n\"GET a\"]", "functions.h.routes", 4, "`GET a`: path"),
        ("[functions.h]\nroutes = [\"GET /{a}\", \"GET /{b}\"]", "functions.h.routes", 2, "same route"),
        ("[functions.h]\nlimits = 3", "functions.h.limits", 2, "a table"),
        ("[functions.h.limits]\nwall = 3", "functions.h.limits.wall", 2, "wall_ms"),
        ("[functions.h.limits]\nwall_ms = \"3\"", "functions.h.limits.wall_ms", 2, "whole number"),
        ("[functions.h.limits]\nwall_ms = -3", "functions.h.limits.wall_ms", 2, "is -3"),
        ("[functions.h.limits]\nwall_ms = 0", "functions.h.limits.wall_ms", 2, "1 to 900000"),
        ("[functions.h.env]\n\"A-B\" = \"x\"", "functions.h.env.A-B", 2, "variable's name"),
        ("[functions.h.env]\nA = 1", "functions.h.env.A", 2, "a string"),
        ("[functions.h.env]\nA = \"\\u0000\"", "functions.h.env.A", 2, "NUL"),
    ] {
        let found = refused(text);
        assert_eq!((found.0.as_str(), found.1), (key, line), "{text}: {found:?}");
        assert!(found.2.contains(part), "{text}: {found:?}");
    }
}

#[test]
fn two_functions_cannot_have_one_route() {
    let (key, line, message) = refused("app=\"b\"\n[functions.a]\nentry=\"a.js\"\n[functions.b]\nentry=\"a.js\"\n");
    assert_eq!((key.as_str(), line), ("functions.b.routes", 4));
    assert!(message.contains("function `a`"), "{message}");
}

#[test]
fn paths_have_one_form() {
    assert_eq!(normal_path("./a//b/./c.js").unwrap(), "a/b/c.js");
    for bad in ["", ".", "/a", "a/..", "../a", "a/", "a\\b", "a\0b", &"a".repeat(256)] {
        assert!(normal_path(bad).is_err(), "{bad:?}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", lines in "([a-z.\\[\\]\"={}0-9 \n]|app|functions|entry)*") {
        let _ = parse(&text, &Limits::default());
        let _ = parse(&lines, &Limits::default());
        let _ = normal_path(&text);
    }
}
