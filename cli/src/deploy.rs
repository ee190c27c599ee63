//! `isle deploy`: a folder in, live URLs out.

mod start;

use crate::api::{Deployed, Function, Refused};
use crate::args::DeployArgs;
use crate::bundle::{self, Purpose};
use crate::client::{ApiError, Client, ClientError};
use crate::clock;
use crate::excerpt::excerpt;
use crate::failure::{Done, Failure};
use crate::folder::Folder;
use crate::node_url::escape;
use crate::table::Table;
use crate::term::{Paint, harmless, line, remark};
use std::collections::BTreeMap;
use std::path::Path;
use toml::de::DeTable;

/// The name of the manifest.
pub const MANIFEST: &str = "isle.toml";

/// Runs the command.
///
/// # Errors
/// What the user should read.
pub async fn run(args: DeployArgs) -> Done {
    let manifest = read_manifest(&args.folder)?;
    let app = named(&manifest, args.app.as_deref())?;
    let (fitting, folder) = bundle::gather(&args.folder, manifest.clone(), Purpose::Production)?;
    let (fitting, added) = match &args.app {
        Some(name) => renamed(&fitting, name),
        None => (fitting, 0),
    };
    report_skipped(&folder);
    let client = Client::of(&args.node);
    let answer = match upload(&client, args.tenant.as_deref(), &app, &fitting, &folder.files).await {
        Err(ClientError::Refused { status: 422, error }) if !args.node.json => {
            let details = refused(&error).below(added);
            return Err(Failure::Report(refusal(&app, &details, &manifest, folder.texts(), Paint::stderr())));
        }
        result => result?,
    };
    if args.node.json {
        return line(&answer.text());
    }
    print(&answer.json()?, Some(&folder))
}

/// Reads the folder's manifest.
///
/// # Errors
/// When there is none or it is no text.
pub fn read_manifest(folder: &Path) -> Done<String> {
    let path = folder.join(MANIFEST);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::said(format!(
            "no {MANIFEST} in {}; the shortest one is\n\n  app = \"hello\"\n  [functions.hello]\n  entry = \"hello.js\"",
            folder.display()
        ))),
        Err(error) => Err(Failure::io("read", &path, &error)),
    }
}

/// The app's name: `name`, or what the manifest says. Everything else in it is for the node to check.
fn named(manifest: &str, name: Option<&str>) -> Done<String> {
    let table: toml::Table = toml::from_str(manifest).map_err(|error| Failure::said(format!("{MANIFEST}: {error}")))?;
    match (table.get("app"), name) {
        (Some(toml::Value::String(said)), name) => Ok(name.unwrap_or(said).to_owned()),
        (Some(_), _) => Err(Failure::said(format!("{MANIFEST}: `app` is not a text"))),
        (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Err(Failure::said(format!("{MANIFEST}: `app` is missing (or pass --app NAME)"))),
    }
}

/// The manifest with this app's name, otherwise as it is written; and how many lines come before it
/// that its author did not write: one where it names no app, since a key needs a line of its own.
fn renamed(manifest: &str, name: &str) -> (String, u32) {
    let name = toml::Value::String(name.to_owned());
    let said = DeTable::parse(manifest).ok().and_then(|table| table.get_ref().get("app").map(|app| app.span()));
    match said {
        Some(span) => (format!("{}{name}{}", &manifest[..span.start], &manifest[span.end..]), 0),
        None => (format!("app = {name}\n{manifest}"), 1),
    }
}

/// Posts a deployment.
///
/// # Errors
/// See [`ClientError`].
pub async fn upload(
    client: &Client,
    tenant: Option<&str>,
    app: &str,
    manifest: &str,
    files: &BTreeMap<String, String>,
) -> Result<crate::client::Answer, ClientError> {
    let mut path = format!("/v1/apps/{}/deployments", escape(app));
    if let Some(tenant) = tenant {
        path.push_str(&format!("?tenant={}", escape(tenant)));
    }
    let files: serde_json::Map<String, serde_json::Value> =
        files.iter().map(|(name, text)| (name.clone(), serde_json::json!({ "text": text }))).collect();
    client.upload(&path, &serde_json::json!({ "manifest": manifest, "files": files })).await
}

/// Says what did not travel.
pub fn report_skipped(folder: &Folder) {
    let paint = Paint::stderr();
    for skipped in &folder.skipped {
        let path = harmless(&skipped.path, false);
        remark(&format!("{} {path}: {}", paint.yellow("left out"), skipped.why));
    }
}

/// Prints what is live now. `folder` is what was sent, if anything was.
///
/// # Errors
/// When standard output is closed.
pub fn print(deployed: &Deployed, folder: Option<&Folder>) -> Done {
    let paint = Paint::stdout();
    let name = paint.bold(&format!("{} {}", deployed.app, deployed.deployment));
    let sent = folder.map_or_else(String::new, |folder| {
        let count = folder.files.len();
        let files = if count == 1 { "file" } else { "files" };
        format!(" ({count} {files}, {})", clock::bytes(folder.bytes()))
    });
    if deployed.unchanged {
        line(&format!("{name} is live already, unchanged{sent}"))?;
    } else {
        line(&format!("{name} is live{sent}"))?;
    }
    let mut table = Table::new(&["FUNCTION", "ROUTE", "STARTS", "URL"]);
    for function in &deployed.functions {
        let (mut name, mut start) =
            (function.name.clone(), function.start.as_ref().map_or_else(String::new, start::brief));
        for (route, url) in function.routes.iter().zip(&function.urls) {
            // Said once: further routes are of the same function.
            table.row([std::mem::take(&mut name), route.clone(), std::mem::take(&mut start), url.clone()]);
        }
    }
    for text in table.lines() {
        line(&format!("  {text}"))?;
    }
    for text in start::refusals(&deployed.functions) {
        line(&format!("  {}", paint.dim(&text)))?;
    }
    if let Some(command) = deployed.functions.iter().find_map(curl) {
        line(&format!("try  {}", paint.cyan(&command)))?;
    }
    Ok(())
}

/// A command that calls the function's first route.
pub fn curl(function: &Function) -> Option<String> {
    let (route, url) = (function.routes.first()?, function.urls.first()?);
    let mut filled = String::new();
    let mut rest = url.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (parameter, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(if parameter.ends_with('+') { "a/b" } else { "you" });
        rest = after;
    }
    filled.push_str(rest);
    let options = match route.split(' ').next()? {
        "GET" | "ANY" | "$default" => String::new(),
        "HEAD" => "-I ".to_owned(),
        method @ ("DELETE" | "OPTIONS") => format!("-X {method} "),
        "POST" => "--json '{\"hello\":\"isle\"}' ".to_owned(),
        method => format!("-X {method} --json '{{\"hello\":\"isle\"}}' "),
    };
    Some(format!("curl {options}{filled}"))
}

/// The details of a refusal; where the node gave none, its message.
fn refused(error: &ApiError) -> Refused {
    let mut details: Refused = serde_json::from_value(error.details.clone()).unwrap_or_default();
    details.message.get_or_insert_with(|| error.message.clone());
    details
}

/// What is wrong with a function, as its author wants to see it: place, error, excerpt, stack.
pub fn refusal(app: &str, details: &Refused, manifest: &str, files: &BTreeMap<String, String>, paint: Paint) -> String {
    let name = details.function.as_ref().map_or_else(|| app.to_owned(), |function| format!("{app}/{function}"));
    let mut report = format!("{}: ", paint.bold(&harmless(&name, false)));
    if let Some(file) = &details.file {
        report.push_str(&harmless(file, false));
        for number in [details.line, details.column].into_iter().flatten() {
            report.push_str(&format!(":{number}"));
        }
        report.push_str(": ");
    }
    if let Some(key) = details.key.as_deref().filter(|key| !key.is_empty()) {
        report.push_str(&format!("`{}` ", harmless(key, false)));
    }
    let message = harmless(details.message.as_deref().unwrap_or("it cannot start"), true);
    match &details.error_type {
        Some(kind) if !message.starts_with(kind.as_str()) => {
            report.push_str(&paint.red(&format!("{}: {message}", harmless(kind, false))));
        }
        _ => report.push_str(&paint.red(&message)),
    }
    let source = details.file.as_deref().and_then(|file| match file {
        MANIFEST => Some(manifest),
        file => files.get(file).map(String::as_str),
    });
    if let (Some(source), Some(line)) = (source, details.line)
        && let Some(excerpt) = excerpt(source, line, details.column, paint)
    {
        report.push('\n');
        report.push_str(excerpt.trim_end());
    }
    // A stack of one frame says nothing that the place does not say.
    let frames = details.stack.as_deref().unwrap_or_default().lines().filter(|l| l.trim_start().starts_with("at "));
    let frames: Vec<&str> = frames.collect();
    if frames.len() > 1 {
        for frame in frames {
            report.push_str(&format!("\n    {}", paint.dim(&harmless(frame.trim(), false))));
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn function(route: &str, url: &str) -> Function {
        Function { name: "hello".to_owned(), routes: vec![route.to_owned()], urls: vec![url.to_owned()], start: None }
    }

    #[test]
    fn the_app_is_named_by_the_manifest_or_the_user() {
        let manifest = "# mine\napp = 'blog' # and this\n\n[functions.hello]\nentry = \"hello.js\"\n";
        assert_eq!(named(manifest, None).unwrap(), "blog");
        assert_eq!(named(manifest, Some("other")).unwrap(), "other");
        assert_eq!(renamed(manifest, "other"), (manifest.replace("'blog'", "\"other\""), 0));
        let nameless = manifest.replace("app = 'blog' ", "");
        assert_eq!(named(&nameless, Some("other")).unwrap(), "other");
        assert_eq!(renamed(&nameless, "other"), (format!("app = \"other\"\n{nameless}"), 1));
        assert!(matches!(named("app = 1", Some("x")), Err(Failure::Said(text)) if text.contains("not a text")));
        assert!(matches!(named("[functions.x]", None), Err(Failure::Said(text)) if text.contains("`app` is missing")));
        assert!(matches!(named("app = ", None), Err(Failure::Said(text)) if text.contains("line 1")));
    }

    #[test]
    fn a_route_becomes_a_command() {
        let of = |route, url| curl(&function(route, url)).unwrap();
        assert_eq!(
            of("GET /hello/{name}", "http://b.localhost:3000/hello/{name}"),
            "curl http://b.localhost:3000/hello/you"
        );
        assert_eq!(of("ANY /x/{proxy+}", "http://b.localhost/x/{proxy+}"), "curl http://b.localhost/x/a/b");
        assert_eq!(of("$default", "http://b.localhost/"), "curl http://b.localhost/");
        assert_eq!(of("POST /x", "http://b/x"), "curl --json '{\"hello\":\"isle\"}' http://b/x");
        assert_eq!(of("PUT /x", "http://b/x"), "curl -X PUT --json '{\"hello\":\"isle\"}' http://b/x");
        assert_eq!(of("DELETE /x", "http://b/x"), "curl -X DELETE http://b/x");
    }

    #[test]
    fn a_refusal_points_at_the_place() {
        let files = BTreeMap::from([("hello.js".to_owned(), "one\ntwo\nreturn a b;\n".to_owned())]);
        let error = ApiError {
            code: "deployment_refused".to_owned(),
            message: "the deployment cannot start".to_owned(),
            details: json!({
                "function": "hello", "error_type": "SyntaxError", "message": "Unexpected identifier 'b'",
                "file": "hello.js", "line": 3, "column": 10, "stack": null,
            }),
        };
        assert_eq!(
            refusal("blog", &refused(&error), "", &files, Paint::OFF),
            "blog/hello: hello.js:3:10: SyntaxError: Unexpected identifier 'b'\n  1 | one\n  2 | two\n  3 | return a b;\n    |          ^",
        );
    }

    #[test]
    fn a_wrong_manifest_is_shown_like_wrong_code() {
        let manifest = "app = \"blog\"\n\n[functions.hello]\nentyr = 1\n";
        let error = isle_gateway::control::manifest::parse(manifest, &isle_wire::Limits::default()).unwrap_err();
        let details = Refused::from(isle_gateway::control::bundle::BundleError::from(error));
        assert_eq!(
            refusal("blog", &details, manifest, &BTreeMap::new(), Paint::OFF),
            "blog: isle.toml:4: `functions.hello.entyr` is unknown here, expected `entry`, `kind`, `handler`, `routes`, `limits`, `env`, `payload_format`, `binary_media_types`, `cors` or `warmup`\n\
             \x20 2 |\n  3 | [functions.hello]\n  4 | entyr = 1",
        );
    }

    #[test]
    fn a_refusal_counts_the_lines_that_the_author_wrote() {
        let written = "# mine\n[functions.hello]\nentyr = 1\n";
        let (sent, added) = renamed(written, "blog");
        let error = isle_gateway::control::manifest::parse(&sent, &isle_wire::Limits::default()).unwrap_err();
        let details = Refused::from(isle_gateway::control::bundle::BundleError::from(error)).below(added);
        let report = refusal("blog", &details, written, &BTreeMap::new(), Paint::OFF);
        assert!(report.starts_with("blog: isle.toml:3: `functions.hello.entyr`"), "{report}");
        assert!(report.ends_with("3 | entyr = 1"), "{report}");
        let code = Refused { file: Some("hello.js".to_owned()), line: Some(3), ..Refused::default() };
        assert_eq!(code.below(1).line, Some(3));
    }

    #[test]
    fn a_refusal_without_a_place_is_still_a_sentence() {
        let error = ApiError { code: String::new(), message: "too many functions".to_owned(), details: json!(null) };
        assert_eq!(refusal("blog", &refused(&error), "", &BTreeMap::new(), Paint::OFF), "blog: too many functions");
        let error = ApiError {
            code: String::new(),
            message: String::new(),
            details: json!({
                "function": "api", "error_type": "Runtime.HandlerNotFound", "message": "no \u{1b}[31m`handler`",
                "stack": "Error: no\n    at f (api.js:1:1)\n    at api.js:2:1",
            }),
        };
        assert_eq!(
            refusal("blog", &refused(&error), "", &BTreeMap::new(), Paint::OFF),
            "blog/api: Runtime.HandlerNotFound: no \\u{1b}[31m`handler`\n    at f (api.js:1:1)\n    at api.js:2:1",
        );
    }
}
