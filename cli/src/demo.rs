//! `isle serve --demo`: two tenants and their example functions, deployed through the admin API as
//! anybody would.

use crate::api::{Deployed, TenantAdded, Tenants};
use crate::client::Client;
use crate::deploy;
use crate::failure::Done;
use crate::tenant;
use crate::term::{Paint, line};
use std::collections::BTreeMap;

/// One example app, carried in the binary.
struct Example {
    tenant: &'static str,
    app: &'static str,
    manifest: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// A call of each function that shows what it is about: path below the app's URL, and options.
    calls: &'static [(&'static str, &'static str)],
}

const EXAMPLES: [Example; 2] = [
    Example {
        tenant: "acme",
        app: "blog",
        manifest: include_str!("../examples/acme/blog/isle.toml"),
        files: &[
            ("hello.js", include_str!("../examples/acme/blog/hello.js")),
            ("page.js", include_str!("../examples/acme/blog/page.js")),
            ("api.js", include_str!("../examples/acme/blog/api.js")),
        ],
        calls: &[
            ("/hello/you", ""),
            ("/api/echo", "--json '{\"hello\":\"isle\"}' "),
            ("/api/avatar/you", "-o you.bmp "),
        ],
    },
    Example {
        tenant: "globex",
        app: "shop",
        manifest: include_str!("../examples/globex/shop/isle.toml"),
        files: &[
            ("cart.js", include_str!("../examples/globex/shop/cart.js")),
            ("prices.json", include_str!("../examples/globex/shop/prices.json")),
        ],
        calls: &[("/cart/tea", "-i -X POST ")],
    },
];

/// Makes the tenants that are missing, deploys, and prints what to click and what to type.
/// `admin` speaks with the admin token.
///
/// # Errors
/// What the user should read.
pub async fn deploy(admin: &Client) -> Done {
    let paint = Paint::stdout();
    let known: Tenants = admin.get("/v1/tenants").await?.json()?;
    for example in EXAMPLES {
        if !known.tenants.iter().any(|tenant| tenant.name == example.tenant) {
            let TenantAdded { tenant, token } = tenant::add(admin, example.tenant).await?.json()?;
            line(&format!("tenant {} added, with token {token}", paint.bold(&tenant)))?;
        }
        let files: BTreeMap<String, String> =
            example.files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let answer = deploy::upload(admin, Some(example.tenant), example.app, example.manifest, &files).await?;
        let deployed: Deployed = answer.json()?;
        line(&format!("\n{} of tenant {}", paint.bold(&deployed.app), example.tenant))?;
        let Some(base) = base(&deployed) else { continue };
        for function in &deployed.functions {
            for (route, url) in function.routes.iter().zip(&function.urls) {
                line(&format!("  {:<6} {:<24} {url}", function.name, route))?;
            }
        }
        for (path, options) in example.calls {
            line(&format!("  {}", paint.cyan(&format!("curl {options}{base}{path}"))))?;
        }
    }
    line("")
}

/// `http://blog.localhost:3000` of a deployment.
fn base(deployed: &Deployed) -> Option<&str> {
    let url = deployed.functions.first()?.urls.first()?;
    let host = url.find("://")? + 3;
    Some(&url[..url[host..].find('/').map_or(url.len(), |slash| host + slash)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::ModuleKind;

    #[test]
    fn the_examples_carry_every_file_of_their_folders() {
        for example in EXAMPLES {
            let folder = format!("{}/examples/{}/{}", env!("CARGO_MANIFEST_DIR"), example.tenant, example.app);
            let mut there: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| ModuleKind::of_path(name).is_some())
                .collect();
            there.sort();
            let mut carried: Vec<_> = example.files.iter().map(|(name, _)| *name).collect();
            carried.sort_unstable();
            assert_eq!(carried, there);
            let manifest: toml::Table = toml::from_str(example.manifest).unwrap();
            assert_eq!(manifest["app"].as_str(), Some(example.app));
        }
    }

    #[test]
    fn the_apps_own_url_is_what_stands_before_the_path() {
        let of = |url: &str| {
            let json = serde_json::json!({
                "app": "a", "deployment": "d",
                "functions": [{ "name": "f", "routes": ["GET /x"], "urls": [url] }],
            });
            base(&serde_json::from_value(json).unwrap()).map(str::to_owned)
        };
        assert_eq!(of("http://blog.localhost:3000/hello/{name}").as_deref(), Some("http://blog.localhost:3000"));
        assert_eq!(of("https://blog.example").as_deref(), Some("https://blog.example"));
    }
}
