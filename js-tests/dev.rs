//! `isle` as its users type it: `dev` with live reload, and the commands against a node.

mod support;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use support::http::{self, Request, Response};
use support::node::{Node, Reaped, address, host, isle};
use support::{PATIENCE, until};

/// A running `isle dev`.
struct Dev {
    _process: Reaped,
    _home: tempfile::TempDir,
    root: PathBuf,
    output: PathBuf,
    addr: SocketAddr,
}

impl Dev {
    /// Starts `isle dev` on `target` in a folder with these files.
    fn start(target: &str, files: &[(&str, &str)]) -> Dev {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("project");
        std::fs::create_dir(&root).unwrap();
        for (path, text) in files {
            std::fs::write(root.join(path), text).unwrap();
        }
        let output = home.path().join("dev.out");
        let file = File::create(&output).unwrap();
        let child = isle()
            .current_dir(&root)
            .args(["dev", target, "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut process = Reaped(child);
        let addr = until("isle dev prints its address", 4 * PATIENCE, || {
            let text = std::fs::read_to_string(&output).unwrap_or_default();
            if let Ok(Some(status)) = process.0.try_wait() {
                panic!("isle dev ended with {status}:\n{text}");
            }
            address(&text, &format!("{target} is at"))
        });
        let dev = Dev { _process: process, _home: home, root, output, addr };
        until("isle dev has started the function", 4 * PATIENCE, || dev.printed().contains("is ready").then_some(()));
        dev
    }

    fn get(&self, path: &str) -> Response {
        http::call(self.addr, &Request::get("localhost", path))
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.root.join(path), text).unwrap();
    }

    fn until_answers(&self, path: &str, wanted: impl Fn(&Response) -> bool) -> Response {
        until(&format!("{path} answers as it should"), PATIENCE, || Some(self.get(path)).filter(|a| wanted(a)))
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap()
    }
}

fn handler(text: &str) -> String {
    format!(
        "export const handler = async (event) => {{\n  console.log(\"said\", \"{text}\");\n  return \"{text}\";\n}};\n"
    )
}

#[test]
fn a_saved_file_is_live_for_the_next_request() {
    let dev = Dev::start("hello.js", &[("hello.js", &handler("one"))]);
    let first = dev.get("/any/path");
    assert_eq!((first.status(), first.text().as_str()), (200, "one"), "{}", first.summary());
    assert!(first.head.header("isle-start").is_some(), "in dev a response says how it started");
    dev.write("hello.js", &handler("two"));
    dev.until_answers("/", |answer| answer.text() == "two");

    dev.write("hello.js", "export const handler = async () => {\n  return ;;;}}\n");
    let broken = dev.until_answers("/", |answer| answer.status() != 200);
    assert!(broken.text().contains("hello.js") && broken.text().contains('2'), "{}", broken.summary());
    dev.write("hello.js", &handler("three"));
    dev.until_answers("/", |answer| answer.text() == "three");
    until("the console is printed", PATIENCE, || dev.printed().contains("said three").then_some(()));
    assert!(dev.printed().contains("said one"));
}

#[test]
fn an_exception_is_readable_in_dev() {
    let source = "const fail = () => {\n  throw new TypeError(\"a clear message\");\n};\nexport const handler = async () => fail();\n";
    let dev = Dev::start("hello.js", &[("hello.js", source)]);
    let answer = dev.get("/");
    assert_eq!((answer.status(), answer.outcome()), (500, "handler_threw"), "{}", answer.summary());
    for part in ["a clear message", "TypeError", "hello.js:2"] {
        assert!(answer.text().contains(part), "{part} in {}", answer.text());
    }
    until("the terminal shows it too", PATIENCE, || dev.printed().contains("a clear message").then_some(()));
}

#[test]
fn a_folder_with_a_manifest_works_too() {
    let manifest = "app = \"shop\"\n\n[functions.cart]\nentry = \"cart.js\"\nroutes = [\"GET /cart/{id}\"]\n";
    let source = "import { price } from \"./price.js\";\nexport const handler = async (e) => `${e.pathParameters.id} ${price}`;\n";
    let files = [("isle.toml", manifest), ("cart.js", source), ("price.js", "export const price = 1;\n")];
    let dev = Dev::start(".", &files);
    assert_eq!(dev.get("/cart/7").text(), "7 1");
    dev.write("price.js", "export const price = 2;\n");
    dev.until_answers("/cart/7", |answer| answer.text() == "7 2");
    assert_eq!(dev.get("/other").status(), 404);
}

/// Runs `isle` against a node.
#[test]
fn a_function_in_dev_reaches_its_authors_own_services_and_itself() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1_024];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nservice").unwrap();
    });
    let text = "export const handler = async (event) => {
      if (event.rawPath === '/self') return 'itself';
      const text = async (url) => (await fetch(url)).text();
      return [await text(event.queryStringParameters.url), await text(`http://${event.headers.host}/self`)];
    };";
    let dev = Dev::start("hello.js", &[("hello.js", text)]);
    let request = Request::get(&dev.addr.to_string(), &format!("/?url=http://localhost:{port}/"));
    let answer = http::call(dev.addr, &request);
    assert_eq!(answer.text(), r#"["service","itself"]"#, "{}", answer.summary());
    service.join().unwrap();
}

fn run(node: &Node, token: &str, folder: &Path, arguments: &[&str]) -> Output {
    isle()
        .current_dir(folder)
        .args(arguments)
        .env("ISLE_NODE", format!("http://{}", node.admin))
        .env("ISLE_TOKEN", token)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The same, expected to go well; what it printed.
fn good(node: &Node, token: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = run(node, token, folder, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "isle {arguments:?} ended with {}:\n{out}{err}", output.status);
    format!("{out}{err}")
}

#[test]
fn the_commands_do_what_they_say() {
    let node = Node::start("");
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    std::fs::write(folder.join("hello.js"), handler("one")).unwrap();
    std::fs::write(folder.join("isle.toml"), "app = \"blog\"\n[functions.hello]\nentry = \"hello.js\"\n").unwrap();

    let printed = good(&node, &node.admin_token, folder, &["tenant", "add", "acme"]);
    let token = printed.split_whitespace().find(|word| word.starts_with("isle_t_")).expect("a token is printed");
    let token = token.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').to_owned();
    assert!(good(&node, &node.admin_token, folder, &["tenant", "list"]).contains("acme"));

    let deployed = good(&node, &token, folder, &["deploy"]);
    assert!(deployed.contains("blog.localhost"), "live URLs are printed: {deployed}");
    assert_eq!(node.get("blog", "/").text(), "one");
    let again = good(&node, &token, folder, &["deploy"]);
    assert!(again.contains("unchanged"), "a no-op says so: {again}");

    std::fs::write(folder.join("hello.js"), handler("two")).unwrap();
    good(&node, &token, folder, &["deploy"]);
    assert_eq!(node.get("blog", "/").text(), "two");

    std::fs::write(folder.join("hello.js"), "export const handler = async () => {\n  const = 1;\n};\n").unwrap();
    let refused = run(&node, &token, folder, &["deploy"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(message.contains("hello.js:2"), "the refusal names file and line: {message}");
    assert_eq!(node.get("blog", "/").text(), "two", "the old one keeps serving");

    assert!(good(&node, &token, folder, &["apps"]).contains("blog"));
    let deployments = good(&node, &token, folder, &["deployments", "blog"]);
    assert!(deployments.lines().filter(|line| !line.trim().is_empty()).count() >= 2, "{deployments}");
    good(&node, &token, folder, &["rollback", "blog"]);
    assert_eq!(node.get("blog", "/").text(), "one");
    until("the console is tailed", PATIENCE, || {
        good(&node, &token, folder, &["logs", "blog"]).contains("said one").then_some(())
    });

    let other = run(&node, "isle_t_wrong", folder, &["apps"]);
    assert!(!other.status.success(), "a wrong token is refused");
    good(&node, &token, folder, &["delete", "blog"]);
    assert_eq!(node.call(&Request::get(&host("blog"), "/")).status(), 404);
    good(&node, &node.admin_token, folder, &["tenant", "remove", "acme"]);
    assert!(!good(&node, &node.admin_token, folder, &["tenant", "list"]).contains("acme"));
}

#[test]
fn typescript_is_translated_at_every_save() {
    let main = |text: &str| {
        format!(
            "import {{ join }} from \"./lib\";\ntype Event = {{ rawPath: string }};\n\nexport const handler = async (event: Event) => join(\"{text}\", event.rawPath);\n"
        )
    };
    let lib = "export const join = (...parts: string[]): string => parts.join(\"\");\n";
    let dev = Dev::start("hello.ts", &[("hello.ts", &main("one")), ("lib.ts", lib)]);
    assert_eq!(dev.get("/x").text(), "one/x");
    dev.write("hello.ts", &main("two"));
    dev.until_answers("/x", |answer| answer.text() == "two/x");
    // A constant that the bundler puts where it is used.
    dev.write("n.ts", "export const n: number = 1;\n");
    dev.write("hello.ts", "import { n } from \"./n\";\nexport const handler = async (): Promise<number> => n;\n");
    dev.until_answers("/", |answer| answer.text() == "1");
    dev.write("n.ts", "export const n: number = 2;\n");
    dev.until_answers("/", |answer| answer.text() == "2");
    dev.write("hello.ts", &main("two"));
    dev.until_answers("/x", |answer| answer.text() == "two/x");
    dev.write(
        "lib.ts",
        "export const join = (...parts: string[]): never => {\n  throw new Error(\"on line 2\");\n};\n",
    );
    let broken = dev.until_answers("/", |answer| answer.status() == 500);
    assert!(broken.text().contains("lib.ts:2:9"), "{}", broken.summary());
    assert!(broken.text().contains("hello.ts:4"), "the author's lines: {}", broken.summary());
    dev.write("lib.ts", "export const join = (");
    until("what is wrong is said", PATIENCE, || dev.printed().contains("lib.ts:1:").then_some(()));
    dev.write("lib.ts", lib);
    dev.until_answers("/x", |answer| answer.text() == "two/x");
}
