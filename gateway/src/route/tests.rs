//! R54, R57 and the choices of the module's header, by example and against a naive matcher.

use super::*;
use proptest::prelude::*;

fn function(name: &str) -> Arc<FunctionVersion> {
    let spec = FunctionSpec {
        tenant: "acme".into(),
        app: "shop".into(),
        function: name.into(),
        deployment: "d".into(),
        entry: "a.js".into(),
        kind: Default::default(),
        modules: BTreeMap::new(),
        env: BTreeMap::new(),
        limits: isle_wire::Limits::default(),
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: String::new(),
    };
    Arc::new(FunctionVersion::new(spec, "acme".into()))
}

fn app(routes: &[&str]) -> AppRoutes {
    let function = function("f");
    AppRoutes::build(routes.iter().map(|text| (Pattern::parse(text).unwrap(), function.clone()))).unwrap()
}

fn key(app: &AppRoutes, method: &str, path: &str) -> Option<String> {
    app.route(method, path).map(|matched| String::from_utf8(matched.route_key.to_vec()).unwrap())
}

fn parameters(app: &AppRoutes, path: &str) -> Vec<(String, Vec<u8>)> {
    let matched = app.route("GET", path).unwrap();
    let text = |name: Bytes| String::from_utf8(name.to_vec()).unwrap();
    matched.path_parameters.into_iter().map(|(name, value)| (text(name), value.to_vec())).collect()
}

#[test]
fn the_documentations_vector_of_r54() {
    let app = app(&["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"]);
    for (method, path, expected) in [
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
        ("POST", "/pets/dog/1", "ANY /{proxy+}"),
        ("PROPFIND", "/pets/dog/1", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
        ("OPTIONS", "*", "$default"),
        ("GET", "", "$default"),
    ] {
        assert_eq!(key(&app, method, path).as_deref(), Some(expected), "{method} {path}");
    }
}

#[test]
fn a_methods_route_comes_before_any_of_the_same_shape_and_after_any_of_a_closer_one() {
    let app = app(&["ANY /a", "GET /a", "ANY /b/c", "GET /b/{x}", "POST /e/f", "GET /e/{x}"]);
    assert_eq!(key(&app, "GET", "/a").unwrap(), "GET /a");
    assert_eq!(key(&app, "PUT", "/a").unwrap(), "ANY /a");
    assert_eq!(key(&app, "get", "/a").unwrap(), "ANY /a", "methods are case-sensitive");
    assert_eq!(key(&app, "GET", "/b/c").unwrap(), "ANY /b/c");
    assert_eq!(key(&app, "GET", "/e/f").unwrap(), "GET /e/{x}", "the closer shape lacks the method");
    assert_eq!(key(&app, "DELETE", "/e/f"), None);
}

#[test]
fn head_takes_a_get_route_when_no_head_or_any_route_fits() {
    let app = app(&["GET /a", "GET /b", "HEAD /b", "GET /c", "ANY /c", "$default"]);
    assert_eq!(key(&app, "HEAD", "/a").unwrap(), "GET /a");
    assert_eq!(key(&app, "HEAD", "/b").unwrap(), "HEAD /b");
    assert_eq!(key(&app, "HEAD", "/c").unwrap(), "ANY /c");
    assert_eq!(key(&app, "HEAD", "/d").unwrap(), "$default");
}

#[test]
fn slashes_count_and_parameters_need_a_character() {
    let app = app(&["GET /", "GET /a", "GET /b/", "GET /p/{x}", "GET /g/{rest+}"]);
    for path in ["/", "/a", "/b/", "/p/1", "/g/1", "/g//", "/g/x/"] {
        assert!(key(&app, "GET", path).is_some(), "{path}");
    }
    for path in ["//", "/a/", "/b", "/p/", "/p/1/", "/g", "/g/", "a", ""] {
        assert_eq!(key(&app, "GET", path), None, "{path}");
    }
}

#[test]
fn escapes_are_decoded_after_the_path_is_split() {
    let app = app(&["GET /caf%C3%A9/{name}", "GET /files/{proxy+}", "GET /100%"]);
    assert_eq!(parameters(&app, "/caf%c3%a9/a%2Fb%20c"), [("name".into(), b"a/b c".to_vec())]);
    assert_eq!(parameters(&app, "/%63afé/%zz%4"), [("name".into(), b"%zz%4".to_vec())]);
    assert_eq!(parameters(&app, "/caf%C3%A9/%FF"), [("name".into(), vec![0xff])]);
    assert_eq!(parameters(&app, "/files/a/b%2Fc//"), [("proxy".into(), b"a/b/c//".to_vec())]);
    assert_eq!(key(&app, "GET", "/100%25").unwrap(), "GET /100%");
    assert_eq!(key(&app, "GET", "/files%2Fa"), None);
}

#[test]
fn paths_that_a_url_would_change_are_known() {
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin",
        "/public/%2E./admin",
        "/a/b/c/../../d",
        "/public/..",
        "/public/%2e%2E",
        "/./a",
        "/%2e",
        "/a/.",
        "..",
        "/public\\..\\admin",
        "/a\\b",
    ] {
        assert!(is_ambiguous(path), "{path}");
    }
    for path in
        ["/", "*", "", "/a.b/..c/d../...", "/.well-known/x", "/%2e%2e%2fa", "/%252e%252e/a", "/a%5cb", "/%2/%", "//a"]
    {
        assert!(!is_ambiguous(path), "{path}");
    }
}

#[test]
fn each_route_has_its_own_parameter_names() {
    let app = app(&["GET /{a}/x/{b}", "POST /{c}/x/{d+}"]);
    assert_eq!(parameters(&app, "/1/x/2"), [("a".into(), b"1".to_vec()), ("b".into(), b"2".to_vec())]);
    let matched = app.route("POST", "/1/x/2/3").unwrap();
    assert_eq!(matched.path_parameters, [("c".into(), "1".into()), ("d".into(), Bytes::from("2/3"))]);
}

#[test]
fn bad_and_repeated_routes_are_refused() {
    for (text, part) in [
        ("", "METHOD /path"),
        ("/a", "METHOD /path"),
        ("BREW /a", "expected ANY"),
        ("get /a", "expected ANY"),
        ("GET a", "does not begin"),
        ("GET  /a", "does not begin"),
        ("GET /a{b}", "whole segment"),
        ("GET /{}", "parameter's name"),
        ("GET /{+}", "parameter's name"),
        ("GET /{a b}", "parameter's name"),
        ("GET /{a+}/b", "last segment"),
        ("GET /{a}/{a}", "twice"),
        ("GET /a//b", "empty segment"),
        ("GET /a?b", "'?'"),
        ("GET /a b", "' '"),
    ] {
        let message = Pattern::parse(text).unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
    assert!(Pattern::parse(&format!("GET /{}", "a".repeat(ROUTE_BYTES_MAX))).is_err());
    assert!(Pattern::parse(&format!("GET {}", "/a".repeat(ROUTE_SEGMENTS_MAX + 1))).is_err());
    let f = function("f");
    for pair in [["GET /{a}", "GET /{b}"], ["$default", "$default"], ["ANY /a", "ANY /%61"]] {
        let patterns = pair.map(|text| Pattern::parse(text).unwrap());
        assert!(patterns[0].collides_with(&patterns[1]));
        assert!(AppRoutes::build(patterns.map(|pattern| (pattern, f.clone()))).is_err(), "{pair:?}");
    }
}

#[test]
fn hosts_find_their_app() {
    let mut table = RouteTable::new("Edge.Example");
    table.set("shop", Arc::new(app(&["$default"])));
    for host in ["shop.edge.example", "SHOP.Edge.EXAMPLE", "shop.edge.example."] {
        assert!(table.route(host, "GET", "/").is_some(), "{host}");
    }
    let long = format!("{}.edge.example", "a".repeat(300));
    for host in ["", ".", "shop", "edge.example", ".edge.example", "x.shop.edge.example", "shop.edge.example..", &long]
    {
        assert!(table.route(host, "GET", "/").is_none(), "{host}");
    }
    assert_eq!(table.functions().count(), 1);
    assert!(table.remove("shop").is_some());
    assert!(table.route("shop.edge.example", "GET", "/").is_none());
}

#[test]
fn a_single_function_takes_every_host_and_path_and_ids_differ() {
    let (one, two) = (function("one"), function("two"));
    assert_ne!(one.id, two.id);
    let routes = Routes::new(Arc::new(RouteTable::single(one)));
    let before = routes.load();
    routes.store(Arc::new(RouteTable::single(two)));
    assert_eq!(before.route("", "", "").unwrap().function.spec.function, "one");
    assert_eq!(routes.load().route("any.where", "GET", "/x").unwrap().function.spec.function, "two");
}

#[test]
fn modules_are_kept_once_and_packed() {
    let mut spec = function("f").spec.clone();
    let text = "export const handler = () => 1".to_string();
    let module = isle_wire::ModuleSource { kind: isle_wire::ModuleKind::JavaScript, text };
    spec.modules.insert("a.js".into(), module);
    let version = FunctionVersion::new(spec.clone(), "acme".into());
    assert!(version.spec.modules.is_empty());
    assert_eq!(FunctionSpec::unpack(&version.held_spec().unwrap().spec).unwrap(), spec);
}

/// What the trie must agree with: every route is tried, the most specific one wins.
fn reference(routes: &[String], method: &str, path: &str) -> Option<String> {
    fn decoded(raw: &str) -> Vec<u8> {
        decode::decode(raw).to_vec()
    }
    // Ranks per segment: literal 0, parameter 1, greedy 2; smaller lists win, then the method.
    fn rank(route: &str, method: &str, path: &str) -> Option<(Vec<u8>, u8)> {
        let (wanted, pattern) = route.split_once(' ')?;
        let by_method = if wanted == method { 0 } else { (wanted == "ANY").then_some(1)? };
        let mut left: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        left.reverse();
        let mut ranks = Vec::new();
        for segment in pattern[1..].split('/') {
            if segment.ends_with("+}") {
                left.reverse();
                ranks.push(2);
                return (left != [""] && !left.is_empty()).then_some((ranks, by_method));
            }
            let given = left.pop()?;
            let parameter = segment.starts_with('{');
            if (parameter && given.is_empty()) || (!parameter && decoded(segment) != decoded(given)) {
                return None;
            }
            ranks.push(u8::from(parameter));
        }
        left.is_empty().then_some((ranks, by_method))
    }
    let best = |method: &str| {
        let fits = routes.iter().filter_map(|route| Some((rank(route, method, path)?, route)));
        fits.min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, route)| route.clone())
    };
    best(method)
        .or_else(|| (method == "HEAD").then(|| best("GET")).flatten())
        .or_else(|| routes.iter().find(|route| *route == "$default").cloned())
}

fn some_route() -> impl Strategy<Value = String> {
    let segment = prop_oneof![3 => "[ab]", 1 => "%6[12]", 2 => Just("{p}".to_string())];
    let end = prop_oneof![4 => Just(""), 1 => Just("/"), 2 => Just("/{rest+}")];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("ANY")];
    let path = (method, prop::collection::vec(segment, 0..4), end).prop_map(|(method, segments, end)| {
        // Parameters of one route need different names.
        let names = segments.iter().enumerate().map(|(i, s)| s.replace("{p}", &format!("{{p{i}}}")));
        let path = names.collect::<Vec<_>>().join("/");
        if path.is_empty() && end == "/" {
            format!("{method} /")
        } else {
            format!("{method} /{path}{end}").replace("//", "/")
        }
    });
    prop_oneof![12 => path, 1 => Just("$default".to_string())]
}

fn distinct(routes: Vec<String>) -> Vec<(String, Pattern)> {
    let mut kept: Vec<(String, Pattern)> = Vec::new();
    for text in routes {
        let pattern = Pattern::parse(&text).unwrap();
        if !kept.iter().any(|(_, known)| known.collides_with(&pattern)) {
            kept.push((text, pattern));
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics(host in "\\PC*", method in "\\PC*", path in "[/%a-f0-9{}+\\PC]*", text in "(GET|ANY) /\\PC*") {
        let mut table = RouteTable::new("localhost");
        table.set("a", Arc::new(app(&["GET /a/{b}/c", "ANY /{x+}", "GET /a/%62/d"])));
        table.route(&host, &method, &path);
        table.route("a.localhost", &method, &path);
        is_ambiguous(&path);
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.path();
        }
    }

    #[test]
    fn dot_segments_are_known_however_they_are_escaped(path in "(/|(/([.a]|%2[eE]){0,4}){0,4})") {
        let plain = path.to_ascii_lowercase().replace("%2e", ".");
        prop_assert_eq!(is_ambiguous(&path), plain.split('/').any(|segment| [".", ".."].contains(&segment)));
    }

    #[test]
    fn the_fuzz_entry_takes_any_bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_one(&data);
    }

    #[test]
    fn the_trie_agrees_with_the_naive_matcher(
        routes in prop::collection::vec(some_route(), 1..12),
        method in "GET|POST|HEAD|PUT",
        path in "(/|(/([abc]|%61|)){0,5})",
    ) {
        let routes = distinct(routes);
        let f = function("f");
        let app = AppRoutes::build(routes.iter().map(|(_, pattern)| (pattern.clone(), f.clone()))).unwrap();
        let texts: Vec<String> = routes.into_iter().map(|(text, _)| text).collect();
        prop_assert_eq!(key(&app, &method, &path), reference(&texts, &method, &path), "{:?}", texts);
    }

    #[test]
    fn every_route_matches_its_own_paths_unless_a_closer_one_does(
        routes in prop::collection::vec(some_route(), 1..12),
        value in "[a-c]{1,2}",
    ) {
        let routes = distinct(routes);
        let f = function("f");
        let app = AppRoutes::build(routes.iter().map(|(_, pattern)| (pattern.clone(), f.clone()))).unwrap();
        let texts: Vec<String> = routes.into_iter().map(|(text, _)| text).collect();
        for text in &texts {
            let (method, path) = text.split_once(' ').unwrap_or(("PUT", "/"));
            let method = if method == "ANY" { "PUT" } else { method };
            let filled: Vec<&str> = path.split('/').map(|s| if s.starts_with('{') { &value } else { s }).collect();
            let path = filled.join("/");
            let found = key(&app, method, &path);
            prop_assert!(found.is_some(), "{} at {}", text, path);
            prop_assert_eq!(found, reference(&texts, method, &path));
        }
    }
}
