//! What is measured: a URL, or a function of a node, found through its admin API.

use crate::api::{Apps, Function};
use crate::node_url::NodeUrl;
use hyper::Method;
use std::fmt;
use std::str::FromStr;

/// What the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any URL.
    Url(Url),
    /// A function.
    Function(FunctionName),
}

/// A function of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Its app.
    pub app: String,
    /// Its name in the app.
    pub function: String,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.function)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if text.contains("://") {
            return text.parse().map(Target::Url);
        }
        match text.split_once('/') {
            Some((app, function)) if !app.is_empty() && !function.is_empty() && !function.contains('/') => {
                Ok(Target::Function(FunctionName { app: app.to_owned(), function: function.to_owned() }))
            }
            _ => Err(format!("{text:?} is neither a URL such as http://blog.localhost:3000/ nor APP/FUNCTION")),
        }
    }
}

/// A URL that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Scheme, host and port.
    pub origin: NodeUrl,
    /// Path and query, with a slash in front.
    pub path: String,
}

impl Url {
    /// The value of the `Host` header: without the port where it is the scheme's own.
    pub fn host_header(&self) -> String {
        let authority = self.origin.authority();
        let usual = if self.origin.tls { ":443" } else { ":80" };
        authority.strip_suffix(usual).map_or(authority.clone(), str::to_owned)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.origin.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.path)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        let host = text.find("://").map_or(0, |at| at + 3);
        let path = text[host..].find(['/', '?', '#']).map_or(text.len(), |at| host + at);
        let (origin, path) = text.split_at(path);
        let origin = origin.parse().map_err(|reason| format!("{text:?} is no URL to measure: {reason}"))?;
        Ok(Url { origin, path: checked_path(path)? })
    }
}

/// A path and query as they go into a request; the fragment stays with the client.
fn checked_path(path: &str) -> Result<String, String> {
    let path = path.split('#').next().unwrap_or_default();
    if let Some(odd) = path.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("a path has no {odd:?}; write it as % and two hexadecimal digits"));
    }
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

/// Where a function answers: the URL of its first route for the method, placeholders filled in.
///
/// # Errors
/// When the node has no such function, or it no such route.
pub fn url_of(apps: &Apps, name: &FunctionName, method: &Method, path: Option<&str>) -> Result<Url, String> {
    let app = apps.apps.iter().find(|app| app.app == name.app).ok_or_else(|| {
        let apps: Vec<&str> = apps.apps.iter().map(|app| app.app.as_str()).collect();
        format!("you have no app {:?} on this node{}", name.app, known(&apps))
    })?;
    let function = app.functions.iter().find(|function| function.name == name.function).ok_or_else(|| {
        let functions: Vec<&str> = app.functions.iter().map(|function| function.name.as_str()).collect();
        format!("{} has no function {:?}{}", name.app, name.function, known(&functions))
    })?;
    let answers = |(route, _): &(&String, &String)| method_rank(route, method).is_some();
    let mut url: Url = match routes(function).find(answers).or_else(|| path.and(routes(function).next())) {
        Some((_, url)) => filled(url).parse()?,
        None => {
            let routes: Vec<&str> = function.routes.iter().map(String::as_str).collect();
            return Err(format!("{name} has no route for {method}{}; pass --method", known(&routes)));
        }
    };
    if let Some(path) = path {
        url.path = checked_path(path)?;
    }
    Ok(url)
}

fn known(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(": there is {}", names.join(", ")) }
}

fn routes(function: &Function) -> impl Iterator<Item = (&String, &String)> {
    function.routes.iter().zip(&function.urls)
}

/// How a route (`GET /a`, `ANY /a`, `$default`) fits a method, less is better: what counts before the
/// path and what counts after it. `None` when it does not.
fn method_rank(route: &str, method: &Method) -> Option<[u8; 2]> {
    match route.split_once(' ') {
        Some((verb, _)) if verb == method.as_str() => Some([0, 0]),
        Some(("ANY", _)) => Some([0, 1]),
        // Only where no route for HEAD or for all methods fits.
        Some(("GET", _)) if method == Method::HEAD => Some([1, 0]),
        Some(_) => None,
        None => Some([2, 0]),
    }
}

/// A URL with something in place of `{name}` and `{proxy+}`.
fn filled(url: &str) -> String {
    let mut filled = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str("isle");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    filled + rest
}

/// Which function answers at a URL: so that it can be evicted.
///
/// # Errors
/// When none of the caller's does.
pub fn function_at(apps: &Apps, url: &Url, method: &Method) -> Result<FunctionName, String> {
    let mut best: Option<(Vec<u8>, FunctionName)> = None;
    for app in &apps.apps {
        for function in &app.functions {
            for (route, pattern) in routes(function) {
                let Some(rank) = rank(route, pattern, method, url) else { continue };
                if best.as_ref().is_none_or(|(than, _)| rank < *than) {
                    best = Some((rank, FunctionName { app: app.app.clone(), function: function.name.clone() }));
                }
            }
        }
    }
    best.map(|(_, name)| name).ok_or_else(|| {
        format!("none of your functions on this node answers {method} {url}, and only those can be made cold; name it as APP/FUNCTION")
    })
}

/// How a request fits a route, less is better: [`method_rank`] around, for each segment, 0 literally,
/// 1 by a placeholder, 2 by a rest. `None` when it does not.
fn rank(route: &str, pattern: &str, method: &Method, url: &Url) -> Option<Vec<u8>> {
    let [before, after] = method_rank(route, method)?;
    let pattern: Url = pattern.parse().ok()?;
    if (&pattern.origin.host, pattern.origin.port) != (&url.origin.host, url.origin.port) {
        return None;
    }
    if !route.contains(' ') {
        return Some(vec![before]);
    }
    let path = url.path.split('?').next().unwrap_or_default();
    let mut segments = path.split('/');
    let mut rank = vec![before];
    for expected in pattern.path.split('/') {
        if expected.starts_with('{') && expected.ends_with("+}") {
            rank.extend([2, after]);
            return segments.next().map(|_| rank);
        }
        let segment = segments.next()?;
        if expected.starts_with('{') && expected.ends_with('}') && !segment.is_empty() {
            rank.push(1);
        } else if expected == segment {
            rank.push(0);
        } else {
            return None;
        }
    }
    rank.push(after);
    segments.next().is_none().then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps() -> Apps {
        let function = |name: &str, routes: &[&str]| {
            let urls: Vec<String> = routes
                .iter()
                .map(|route| {
                    format!("http://blog.localhost:3000{}", route.split_once(' ').map_or("/", |(_, path)| path))
                })
                .collect();
            serde_json::json!({ "name": name, "routes": routes, "urls": urls })
        };
        let functions = [
            function("hello", &["POST /hello", "GET /hello/{name}"]),
            function("page", &["$default"]),
            function("me", &["ANY /hello/me"]),
            function("files", &["GET /files/{proxy+}"]),
            function("hook", &["POST /hook"]),
            function("all", &["ANY /x", "ANY /y/{proxy+}"]),
            function("only", &["GET /x", "GET /y/z"]),
        ];
        let app = serde_json::json!({
            "app": "blog", "tenant": "acme", "deployment": "1", "updated_at": 1, "functions": functions,
        });
        serde_json::from_value(serde_json::json!({ "apps": [app] })).unwrap()
    }

    fn name(text: &str) -> FunctionName {
        match text.parse() {
            Ok(Target::Function(name)) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn urls_are_read_and_shown() {
        let url: Url = "http://Blog.localhost:3000/a%20b?c=d#e".parse().unwrap();
        assert_eq!(url.to_string(), "http://blog.localhost:3000/a%20b?c=d");
        assert_eq!("http://a.example?x".parse::<Url>().unwrap().to_string(), "http://a.example/?x");
        let url: Url = "https://[::1]".parse().unwrap();
        assert_eq!((url.host_header(), url.path), ("[::1]".to_owned(), "/".to_owned()));
        for text in ["ftp://a/", "http:///", "http://u:p@a/", "http://a/ b", "blog", "blog/", "/hello", "a/b/c", ""] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_functions_first_route_for_the_method_is_taken() {
        let apps = apps();
        let url = |text: &str, method: Method, path| {
            url_of(&apps, &name(text), &method, path)
                .map(|url| url.to_string().replace("http://blog.localhost:3000", ""))
        };
        assert_eq!(url("blog/hello", Method::GET, None).unwrap(), "/hello/isle");
        assert_eq!(url("blog/hello", Method::POST, None).unwrap(), "/hello");
        assert_eq!(url("blog/files", Method::GET, None).unwrap(), "/files/isle");
        assert_eq!(url("blog/page", Method::GET, None).unwrap(), "/");
        assert_eq!(url("blog/hello", Method::GET, Some("/hello/Ada?x=1")).unwrap(), "/hello/Ada?x=1");
        assert_eq!(
            url("blog/hook", Method::GET, None).unwrap_err(),
            "blog/hook has no route for GET: there is POST /hook; pass --method"
        );
        assert_eq!(
            url("shop/cart", Method::GET, None).unwrap_err(),
            "you have no app \"shop\" on this node: there is blog"
        );
        assert!(
            url("blog/cart", Method::GET, None).unwrap_err().contains("no function \"cart\": there is hello, page")
        );
    }

    #[test]
    fn a_urls_function_is_the_one_that_the_node_would_choose() {
        let apps = apps();
        let at = |path: &str, method: &Method| {
            let url = format!("http://blog.localhost:3000{path}").parse().unwrap();
            function_at(&apps, &url, method).unwrap().to_string()
        };
        assert_eq!(at("/hello/Ada?x=1", &Method::GET), "blog/hello");
        assert_eq!(at("/hello/me", &Method::GET), "blog/me");
        assert_eq!(at("/files/a/b/c", &Method::GET), "blog/files");
        assert_eq!(at("/files/a/b/c", &Method::PUT), "blog/page");
        assert_eq!(at("/", &Method::GET), "blog/page");
        // The method's own route comes before one for all methods, and HEAD takes a GET route only
        // where neither fits.
        assert_eq!(at("/x", &Method::GET), "blog/only");
        assert_eq!(at("/x", &Method::PUT), "blog/all");
        assert_eq!(at("/y/z", &Method::GET), "blog/only");
        assert_eq!(at("/x", &Method::HEAD), "blog/all");
        assert_eq!(at("/y/z", &Method::HEAD), "blog/all");
        assert_eq!(at("/hello/Ada", &Method::HEAD), "blog/hello");
        let other = "http://shop.localhost:3000/".parse().unwrap();
        assert!(function_at(&apps, &other, &Method::GET).unwrap_err().contains("name it as APP/FUNCTION"));
    }
}
