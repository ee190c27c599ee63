//! `isle.toml`: what an app is made of. Everything wrong is said with the key, the line and what
//! was expected; nothing unknown is skipped, since a misspelt limit would be no limit.

mod contract;
#[cfg(test)]
mod tests;

use super::warmup::{self, WarmUp};
use crate::cors::Cors;
use crate::egress::host::{self, HostPattern};
use crate::route::{LABEL_BYTES_MAX, Pattern};
use isle_wire::{Contract, FunctionKind, Limits, PayloadFormat};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The manifest's name in a deployment's folder.
pub const FILE: &str = "isle.toml";
/// Functions of one app. 100: each is started once per deploy, and each has series in the metrics.
pub const FUNCTIONS_MAX: usize = 100;
/// Routes of one app. 300: what API Gateway allows.
pub const ROUTES_MAX: usize = 300;
/// Names and values of one function's environment together, in bytes. 32 KiB: configuration, not data.
pub const ENV_BYTES_MAX: usize = 32 << 10;
/// The longest path of a file in a deployment, in bytes.
pub const PATH_BYTES_MAX: usize = 255;
/// Rules of one app's `[egress] allow`. 200: each is compared with the host of each request.
pub const EGRESS_RULES_MAX: usize = 200;

/// What a function's table may say, for messages.
const FUNCTION_KEYS: &str =
    "`entry`, `kind`, `handler`, `routes`, `limits`, `env`, `payload_format`, `binary_media_types`, `cors` or `warmup`";

/// A manifest whose every part is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The app's name: a DNS label.
    pub app: String,
    /// Where `app` is written, counted from 1.
    pub app_line: usize,
    /// Whether its functions may make code from strings. Default: yes, as packages need it.
    pub code_generation: bool,
    /// Its functions by name; at least one.
    pub functions: BTreeMap<String, Function>,
    /// Who in a browser may read what its functions answer, where they do not say so themselves.
    pub cors: Option<Cors>,
    /// Hosts that its functions may fetch from (`[egress] allow`); `None`: wherever the node lets them.
    pub egress_allow: Option<Vec<String>>,
}

/// One function as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Normalised path of the module that exports `handler`.
    pub entry: String,
    /// Where `entry` is written, counted from 1.
    pub entry_line: usize,
    /// Which of the module's exports is the function.
    pub kind: FunctionKind,
    /// At least one; `$default` when the manifest names none.
    pub routes: Vec<Pattern>,
    /// Those left out are the default's, or the node's cap if that is less.
    pub limits: Limits,
    /// Variables for the function.
    pub env: BTreeMap<String, String>,
    /// How its handler is found and spoken to.
    pub contract: Contract,
    /// Who in a browser may read its answers; `None`: as the app says.
    pub cors: Option<Cors>,
    /// What its builder calls it with; `None` when the manifest does not say.
    pub warm_ups: Option<Vec<WarmUp>>,
}

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The key, dotted: `functions.hello.entry`. Empty when the text is no TOML.
    pub key: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{FILE}:{}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "`{}` ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ManifestError {}

type Result<T> = std::result::Result<T, ManifestError>;
type Value<'i> = Spanned<DeValue<'i>>;

/// Whether `name` can name a tenant, an app or a function: it becomes a part of host names.
pub fn is_label(name: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// What [`is_label`] wants, for messages.
pub const LABEL_EXPECTED: &str = "expected 1 to 63 of a-z, 0-9 and `-`, with no `-` at either end";

/// Brings a path into the one form that names the file: no `.`, no doubled `/`.
///
/// # Errors
/// Why the path cannot name a file of a deployment.
pub fn normal_path(path: &str) -> std::result::Result<String, &'static str> {
    if path.len() > PATH_BYTES_MAX {
        return Err("is longer than 255 bytes");
    }
    if path.starts_with('/') {
        return Err("is absolute, expected a path relative to the deployment's root");
    }
    if path.contains(|c: char| c.is_control() || c == '\\') {
        return Err("contains a control character or a backslash");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err("contains `..`");
    }
    if parts.is_empty() || path.ends_with('/') {
        return Err("names no file");
    }
    Ok(parts.join("/"))
}

/// Reads a manifest; `caps` is the most that the node gives any function.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str, caps: &Limits) -> Result<Manifest> {
    Reader { text, caps }.manifest()
}

struct Reader<'t> {
    text: &'t str,
    caps: &'t Limits,
}

impl<'t> Reader<'t> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn error(&self, at: usize, key: &str, message: impl Into<String>) -> ManifestError {
        ManifestError { key: key.into(), line: self.line(at), message: message.into() }
    }

    fn wrong_type(&self, key: &str, value: &Value<'_>, expected: &str) -> ManifestError {
        let found = value.get_ref().type_str();
        self.error(value.span().start, key, format!("is of type {found}, expected {expected}"))
    }

    fn unknown(&self, at: usize, key: &str, expected: &str) -> ManifestError {
        self.error(at, key, format!("is unknown here, expected {expected}"))
    }

    fn string<'v>(&self, key: &str, value: &'v Value<'_>) -> Result<&'v str> {
        value.get_ref().as_str().ok_or_else(|| self.wrong_type(key, value, "a string"))
    }

    fn table<'v, 'i>(&self, key: &str, value: &'v Value<'i>) -> Result<&'v DeTable<'i>> {
        value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, value, "a table"))
    }

    fn manifest(&self) -> Result<Manifest> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, "", error.message().trim())
        })?;
        let (mut app, mut functions, mut code_generation) = (None, None, true);
        let (mut cors, mut egress_allow) = (None, None);
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "app" => {
                    let name = self.string("app", value)?;
                    if !is_label(name) {
                        return Err(self.error(value.span().start, "app", format!("is `{name}`, {LABEL_EXPECTED}")));
                    }
                    app = Some((name.to_owned(), self.line(value.span().start)));
                }
                "functions" => functions = Some(self.functions(value)?),
                "code_generation" => {
                    let allowed = value.get_ref().as_bool();
                    code_generation =
                        allowed.ok_or_else(|| self.wrong_type("code_generation", value, "true or false"))?;
                }
                "cors" => cors = Some(self.cors("cors", value)?),
                "egress" => egress_allow = self.egress(value)?,
                other => {
                    let expected = "`app`, `code_generation`, `functions`, `cors` or `egress`";
                    return Err(self.unknown(key.span().start, other, expected));
                }
            }
        }
        let (app, app_line) = app.ok_or_else(|| self.error(0, "app", "is missing"))?;
        let functions = functions.filter(|functions| !functions.is_empty());
        let missing = "is missing, expected a table `[functions.NAME]` with `entry`";
        let functions = functions.ok_or_else(|| self.error(0, "functions", missing))?;
        Ok(Manifest { app, app_line, code_generation, functions, cors, egress_allow })
    }

    fn egress(&self, value: &Value<'_>) -> Result<Option<Vec<String>>> {
        let mut allow = None;
        for (key, value) in self.table("egress", value)? {
            let inner = format!("egress.{}", key.get_ref());
            if key.get_ref() != "allow" {
                return Err(self.unknown(key.span().start, &inner, "`allow`"));
            }
            let expected = "an array of strings like \"api.example.com\"";
            let list = value.get_ref().as_array().ok_or_else(|| self.wrong_type(&inner, value, expected))?;
            let mut rules = Vec::new();
            for rule in list.iter() {
                let (at, text) = (rule.span().start, self.string(&inner, rule)?);
                HostPattern::parse(text)
                    .map_err(|why| self.error(at, &inner, format!("`{text}` {why}, {}", host::EXPECTED)))?;
                rules.push(text.to_owned());
            }
            if rules.len() > EGRESS_RULES_MAX {
                let message = format!("has {} rules, expected at most {EGRESS_RULES_MAX}", rules.len());
                return Err(self.error(value.span().start, &inner, message));
            }
            allow = Some(rules);
        }
        Ok(allow)
    }

    fn functions(&self, value: &Value<'_>) -> Result<BTreeMap<String, Function>> {
        let table = self.table("functions", value)?;
        if table.len() > FUNCTIONS_MAX {
            let message = format!("has {} functions, expected at most {FUNCTIONS_MAX}", table.len());
            return Err(self.error(value.span().start, "functions", message));
        }
        let mut functions = BTreeMap::new();
        // Every route so far with the function that has it.
        let mut taken: Vec<(Pattern, String)> = Vec::new();
        for (name, value) in table {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            let key = format!("functions.{name}");
            if !is_label(name) {
                return Err(self.error(at, &key, format!("is no function's name, {LABEL_EXPECTED}")));
            }
            functions.insert(name.to_owned(), self.function(name, &key, at, value, &mut taken)?);
        }
        Ok(functions)
    }

    fn function(
        &self,
        name: &str,
        key: &str,
        at: usize,
        value: &Value<'_>,
        taken: &mut Vec<(Pattern, String)>,
    ) -> Result<Function> {
        let (mut entry, mut routes, mut env, mut warm_ups) = (None, None, BTreeMap::new(), None);
        let mut kind = FunctionKind::Auto;
        let mut limits = self.limits(key, None)?;
        let (mut contract, mut cors, mut binary_at) = (Contract::default(), None, None);
        for (part, value) in self.table(key, value)? {
            let inner = format!("{key}.{}", part.get_ref());
            match part.get_ref().as_ref() {
                "entry" => entry = Some((self.entry(&inner, value)?, self.line(value.span().start))),
                "routes" => routes = Some(self.routes(&inner, name, value, taken)?),
                "limits" => limits = self.limits(&inner, Some(value))?,
                "env" => env = self.env(&inner, value)?,
                "kind" => kind = self.kind(&inner, value)?,
                "warmup" => warm_ups = Some(self.warm_ups(&inner, value)?),
                "payload_format" => contract.payload_format = self.payload_format(&inner, value)?,
                "handler" => contract.handler = self.handler_path(&inner, value)?,
                "cors" => cors = Some(self.cors(&inner, value)?),
                "binary_media_types" => {
                    contract.binary_media_types = self.binary_media_types(&inner, value)?;
                    binary_at = Some((inner, part.span().start));
                }
                _ => return Err(self.unknown(part.span().start, &inner, FUNCTION_KEYS)),
            }
        }
        if let (Some((key, at)), true) = (binary_at, contract.payload_format != PayloadFormat::Rest) {
            return Err(self.error(at, &key, "is expected only beside `payload_format = \"rest\"`"));
        }
        let missing = || self.error(at, &format!("{key}.entry"), "is missing, expected the path of a module");
        let (entry, entry_line) = entry.ok_or_else(missing)?;
        let routes = match routes {
            Some(routes) => routes,
            None => {
                let default = Pattern::parse("$default").expect("is well formed");
                self.take(&format!("{key}.routes"), at, name, default.clone(), taken)?;
                vec![default]
            }
        };
        Ok(Function { entry, entry_line, kind, routes, limits, env, contract, cors, warm_ups })
    }

    fn kind(&self, key: &str, value: &Value<'_>) -> Result<FunctionKind> {
        let name = self.string(key, value)?;
        FunctionKind::of_name(name).ok_or_else(|| {
            self.error(value.span().start, key, format!("is `{name}`, expected \"handler\" or \"fetch\""))
        })
    }

    fn entry(&self, key: &str, value: &Value<'_>) -> Result<String> {
        let text = self.string(key, value)?;
        let path = normal_path(text).map_err(|why| self.error(value.span().start, key, format!("`{text}` {why}")))?;
        if !matches!(isle_wire::ModuleKind::of_path(&path), Some(isle_wire::ModuleKind::JavaScript)) {
            let message = format!("is `{path}`, expected a file whose name ends in .js or .mjs");
            return Err(self.error(value.span().start, key, message));
        }
        Ok(path)
    }

    fn warm_ups(&self, key: &str, value: &Value<'_>) -> Result<Vec<WarmUp>> {
        let line = |at| self.line(at);
        warmup::parse(value, &line).map_err(|(at, message)| self.error(at, key, message))
    }

    fn routes(
        &self,
        key: &str,
        name: &str,
        value: &Value<'_>,
        taken: &mut Vec<(Pattern, String)>,
    ) -> Result<Vec<Pattern>> {
        let expected = "an array of strings like \"GET /hello/{name}\"";
        let list = value.get_ref().as_array().ok_or_else(|| self.wrong_type(key, value, expected))?;
        if list.iter().next().is_none() {
            return Err(self.error(value.span().start, key, "is empty; leave it out for [\"$default\"]"));
        }
        let mut routes = Vec::new();
        for route in list.iter() {
            let text = route.get_ref().as_str().ok_or_else(|| self.wrong_type(key, route, "a string"))?;
            let at = route.span().start;
            let pattern = Pattern::parse(text).map_err(|error| self.error(at, key, format!("`{text}`: {error}")))?;
            self.take(key, at, name, pattern.clone(), taken)?;
            routes.push(pattern);
        }
        Ok(routes)
    }

    fn take(
        &self,
        key: &str,
        at: usize,
        name: &str,
        pattern: Pattern,
        taken: &mut Vec<(Pattern, String)>,
    ) -> Result<()> {
        if let Some((known, owner)) = taken.iter().find(|(known, _)| known.collides_with(&pattern)) {
            let (new, known) = (String::from_utf8_lossy(pattern.key()), String::from_utf8_lossy(known.key()));
            return Err(self.error(at, key, format!("`{new}` is the same route as `{known}` of function `{owner}`")));
        }
        if taken.len() == ROUTES_MAX {
            return Err(self.error(at, key, format!("is beyond the app's {ROUTES_MAX} routes")));
        }
        taken.push((pattern, name.to_owned()));
        Ok(())
    }

    /// What is left out is the default, or the node's cap if that is less; what is given must
    /// be within both Isle's range and the cap.
    fn limits(&self, key: &str, value: Option<&Value<'_>>) -> Result<Limits> {
        let mut limits = lowered(&Limits::default(), self.caps);
        let Some(value) = value else { return Ok(limits) };
        for (field, given) in self.table(key, value)? {
            let inner = format!("{key}.{}", field.get_ref());
            let number =
                given.get_ref().as_integer().ok_or_else(|| self.wrong_type(&inner, given, "a whole number"))?;
            let at = given.span().start;
            let number = u32::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| self.error(at, &inner, format!("is {number}, expected 0 to {}", u32::MAX)))?;
            let mut fields = fields(&limits);
            if fields.insert(field.get_ref().to_string(), number).is_none() {
                let names = fields.keys().filter(|name| *name != field.get_ref()).cloned().collect::<Vec<_>>();
                return Err(self.unknown(field.span().start, &inner, &format!("one of {}", names.join(", "))));
            }
            limits = from_fields(fields);
            let range = limits.check().and_then(|()| limits.capped_by(self.caps));
            range.map_err(|wrong| {
                let message = format!("is {}, expected {} to {}", wrong.given, wrong.min, wrong.max);
                self.error(at, &inner, message)
            })?;
        }
        Ok(limits)
    }

    fn env(&self, key: &str, value: &Value<'_>) -> Result<BTreeMap<String, String>> {
        let mut env = BTreeMap::new();
        let mut bytes = 0;
        for (name, value) in self.table(key, value)? {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            let inner = format!("{key}.{name}");
            let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !well_formed {
                return Err(self.error(
                    at,
                    &inner,
                    "is no variable's name, expected a letter or `_`, then letters, digits, `_`",
                ));
            }
            let text = self.string(&inner, value)?;
            if text.contains('\0') {
                return Err(self.error(value.span().start, &inner, "contains a NUL"));
            }
            bytes += name.len() + text.len();
            if bytes > ENV_BYTES_MAX {
                return Err(self.error(at, &inner, format!("takes the variables beyond {ENV_BYTES_MAX} bytes")));
            }
            env.insert(name.to_owned(), text.to_owned());
        }
        Ok(env)
    }
}

fn fields(limits: &Limits) -> BTreeMap<String, u32> {
    let json = serde_json::to_value(limits).and_then(serde_json::from_value);
    json.expect("limits are a flat table of numbers")
}

fn from_fields(fields: BTreeMap<String, u32>) -> Limits {
    let json = serde_json::to_value(fields).and_then(serde_json::from_value);
    json.expect("made of the fields of limits")
}

/// The lesser of both, field by field.
pub(super) fn lowered(limits: &Limits, caps: &Limits) -> Limits {
    let caps = fields(caps);
    from_fields(
        fields(limits)
            .into_iter()
            .map(|(name, value)| {
                let least = Limits::lesser(&name, value, caps[&name]);
                (name, least)
            })
            .collect(),
    )
}
