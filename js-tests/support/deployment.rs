//! A deployment as the REST API takes it, made from a folder or from text.

use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What a runner reads from a case's folder and never deploys.
const NOT_DEPLOYED: [&str; 2] = ["request.json", "expect.json"];

/// A manifest and the files that go with it.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub app: String,
    pub manifest: String,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Deployment {
    /// An app whose one function `main` is this module, for every path.
    pub fn of(app: &str, handler: &str) -> Deployment {
        let manifest = format!("app = \"{app}\"\n\n[functions.main]\nentry = \"handler.js\"\n");
        Deployment { app: app.into(), manifest, files: BTreeMap::new() }.file("handler.js", handler)
    }

    /// A folder's files, with its `isle.toml` or, without one, as [`Deployment::of`] has it.
    /// `{app}` in the manifest stands for the app's name.
    pub fn from_folder(app: &str, folder: &Path) -> Deployment {
        let mut deployment = Deployment::of(app, "");
        deployment.files.clear();
        if let Ok(manifest) = std::fs::read_to_string(folder.join("isle.toml")) {
            deployment.manifest = manifest.replace("{app}", app);
        }
        collect(folder, "", &mut deployment.files);
        assert!(!deployment.files.is_empty(), "no modules in {}", folder.display());
        deployment
    }

    pub fn file(mut self, path: &str, text: &str) -> Deployment {
        self.files.insert(path.into(), text.into());
        self
    }

    /// Sets limits of the function `main`.
    pub fn limits(mut self, limits: &[(&str, u32)]) -> Deployment {
        self.manifest.push_str("\n[functions.main.limits]\n");
        for (name, value) in limits {
            self.manifest.push_str(&format!("{name} = {value}\n"));
        }
        self
    }

    /// The body of `POST /v1/apps/{app}/deployments`.
    pub fn body(&self) -> Value {
        let files: BTreeMap<&String, Value> = self
            .files
            .iter()
            .map(|(path, bytes)| match std::str::from_utf8(bytes) {
                Ok(text) => (path, json!({ "text": text })),
                Err(_) => (path, json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) })),
            })
            .collect();
        json!({ "manifest": self.manifest, "files": files })
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a UTF-8 name");
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), files);
        } else if [".js", ".mjs", ".json"].iter().any(|end| name.ends_with(end)) && !NOT_DEPLOYED.contains(&name) {
            files.insert(format!("{prefix}{name}"), std::fs::read(&path).expect("a readable file"));
        }
    }
}
