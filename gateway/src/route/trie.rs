//! The routes of one app, as a trie over path segments.
//!
//! Each node stands for a path shape. A request walks from the root; at each node a literal child
//! is tried first, then the parameter child, then the node's own greedy route: specificity segment
//! by segment, with a way back when the deeper shapes lack the request's method. Every node is met
//! at one position of the path only, so a request visits a node at most once.

use super::decode::{Decoded, decode};
use super::pattern::{ANY, GET, HEAD, Kind, Pattern, SLOTS, Segment, slot};
use super::{FunctionVersion, Matched};
use crate::cors::Policy;
use bytes::Bytes;
use isle_wire::PayloadFormat;
use std::sync::Arc;

/// The routes of one app.
#[derive(Debug, Default)]
pub struct AppRoutes {
    /// Node 0 is the root.
    nodes: Vec<Node>,
    routes: Vec<Route>,
    functions: Vec<Arc<FunctionVersion>>,
    default: Option<usize>,
    /// Who in a browser may read what each function answers.
    cors: Vec<Option<Arc<Policy>>>,
    /// The same where no route fits.
    app_cors: Option<Arc<Policy>>,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by the (decoded) segment.
    literals: Vec<(Bytes, usize)>,
    parameter: Option<usize>,
    /// Routes of paths that end here, by method.
    here: [Option<u32>; SLOTS],
    /// Routes of paths that go on from here in any way, by method.
    greedy: [Option<u32>; SLOTS],
}

#[derive(Debug)]
struct Route {
    key: Bytes,
    function: usize,
    /// Name, position among the path's segments, and whether it takes all that follow.
    parameters: Vec<(Bytes, usize, bool)>,
}

/// Two routes of an app that are the same method of the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateRoute(pub Bytes);

impl std::fmt::Display for DuplicateRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "route `{}` is there twice", String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for DuplicateRoute {}

impl AppRoutes {
    /// One function for every path.
    pub fn only(function: Arc<FunctionVersion>) -> AppRoutes {
        let route = Route { key: Bytes::from_static(b"$default"), function: 0, parameters: Vec::new() };
        AppRoutes {
            nodes: vec![Node::default()],
            routes: vec![route],
            functions: vec![function],
            default: Some(0),
            ..AppRoutes::default()
        }
    }

    /// Builds the trie.
    ///
    /// # Errors
    /// A route that is there twice.
    pub fn build(
        routes: impl IntoIterator<Item = (Pattern, Arc<FunctionVersion>)>,
    ) -> Result<AppRoutes, DuplicateRoute> {
        let mut app = AppRoutes { nodes: vec![Node::default()], ..AppRoutes::default() };
        for (pattern, function) in routes {
            app.insert(&pattern, function)?;
        }
        Ok(app)
    }

    fn insert(&mut self, pattern: &Pattern, function: Arc<FunctionVersion>) -> Result<(), DuplicateRoute> {
        let index = self.routes.len();
        let duplicate = || DuplicateRoute(pattern.key().clone());
        let mut parameters = Vec::new();
        match &pattern.kind {
            Kind::Default if self.default.is_some() => return Err(duplicate()),
            Kind::Default => self.default = Some(index),
            Kind::Path { slot, segments } => {
                let mut at = 0;
                let mut greedy = false;
                for (position, segment) in segments.iter().enumerate() {
                    match segment {
                        Segment::Literal(text) => at = self.literal_child(at, text),
                        Segment::Parameter(name) => {
                            parameters.push((name.clone(), position, false));
                            at = self.parameter_child(at);
                        }
                        Segment::Greedy(name) => {
                            parameters.push((name.clone(), position, true));
                            greedy = true;
                        }
                    }
                }
                let node = &mut self.nodes[at];
                let place = if greedy { &mut node.greedy[*slot] } else { &mut node.here[*slot] };
                if place.is_some() {
                    return Err(duplicate());
                }
                *place = Some(index as u32);
            }
        }
        let known = self.functions.iter().position(|known| known.id == function.id);
        let function = known.unwrap_or_else(|| {
            self.functions.push(function);
            self.functions.len() - 1
        });
        self.routes.push(Route { key: pattern.key().clone(), function, parameters });
        Ok(())
    }

    fn new_node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn literal_child(&mut self, at: usize, text: &Bytes) -> usize {
        match self.nodes[at].literals.binary_search_by(|(known, _)| known.cmp(text)) {
            Ok(place) => self.nodes[at].literals[place].1,
            Err(place) => {
                let child = self.new_node();
                self.nodes[at].literals.insert(place, (text.clone(), child));
                child
            }
        }
    }

    fn parameter_child(&mut self, at: usize) -> usize {
        match self.nodes[at].parameter {
            Some(child) => child,
            None => {
                let child = self.new_node();
                self.nodes[at].parameter = Some(child);
                child
            }
        }
    }

    /// The distinct functions that routes lead to.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<FunctionVersion>> {
        self.functions.iter()
    }

    /// The same routes with CORS policies: the app's, and what `own` says of each function by name.
    pub fn with_cors(self, app: Option<Arc<Policy>>, own: impl Fn(&str) -> Option<Arc<Policy>>) -> AppRoutes {
        let of = |function: &Arc<FunctionVersion>| own(&function.spec.function).or_else(|| app.clone());
        AppRoutes { cors: self.functions.iter().map(of).collect(), app_cors: app, ..self }
    }

    fn select(&self, method: &str, path: &str) -> Option<&Route> {
        let (method, path) = (slot(method), self.normal(path));
        let found = path.strip_prefix('/').and_then(|rest| {
            let get_instead = || (method == HEAD).then(|| self.find(0, Some(rest), GET)).flatten();
            self.find(0, Some(rest), method).or_else(get_instead)
        });
        Some(&self.routes[found.map(|index| index as usize).or(self.default)?])
    }

    /// A REST API takes a doubled slash in front for one.
    fn normal<'p>(&self, path: &'p str) -> &'p str {
        if path.starts_with("//") && self.is_rest() { &path[1..] } else { path }
    }

    fn cors_of(&self, route: &Route) -> Option<&Arc<Policy>> {
        self.cors.get(route.function)?.as_ref()
    }

    /// Picks the function for a request to this app.
    pub fn route(&self, method: &str, path: &str) -> Option<Matched> {
        let route = self.select(method, path)?;
        Some(Matched {
            function: self.functions[route.function].clone(),
            route_key: route.key.clone(),
            path_parameters: route.values(self.normal(path).strip_prefix('/').unwrap_or_default()),
            cors: self.cors_of(route).cloned(),
        })
    }

    /// The policy for requests of this method and path, routed or not.
    pub fn policy(&self, method: &str, path: &str) -> Option<&Arc<Policy>> {
        match self.select(method, path) {
            Some(route) => self.cors_of(route),
            None => self.app_cors.as_ref(),
        }
    }

    /// Whether every function is a REST API's: then so is the app (R56).
    pub fn is_rest(&self) -> bool {
        self.functions.iter().all(|function| function.spec.contract.payload_format == PayloadFormat::Rest)
    }

    /// `rest`: what is left of the path at this node, without the slash; `None` when it ended.
    fn find(&self, at: usize, rest: Option<&str>, method: usize) -> Option<u32> {
        let node = &self.nodes[at];
        let Some(rest) = rest else { return node.here[method].or(node.here[ANY]) };
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        let literal = || self.find(node.literal(segment)?, after, method);
        let parameter = || self.find(node.parameter.filter(|_| !segment.is_empty())?, after, method);
        let greedy = || node.greedy[method].or(node.greedy[ANY]).filter(|_| !rest.is_empty());
        literal().or_else(parameter).or_else(greedy)
    }
}

impl Node {
    fn literal(&self, segment: &str) -> Option<usize> {
        let raw = segment.as_bytes();
        let place = if raw.contains(&b'%') {
            self.literals.binary_search_by(|(known, _)| known.iter().copied().cmp(Decoded(raw)))
        } else {
            self.literals.binary_search_by(|(known, _)| known.as_ref().cmp(raw))
        };
        Some(self.literals[place.ok()?].1)
    }
}

impl Route {
    fn values(&self, path: &str) -> Vec<(Bytes, Bytes)> {
        let mut values = Vec::with_capacity(self.parameters.len());
        let (mut rest, mut at) = (path, 0);
        for (name, position, greedy) in &self.parameters {
            while at < *position {
                rest = rest.split_once('/').map_or("", |(_, after)| after);
                at += 1;
            }
            let raw = if *greedy { rest } else { rest.split('/').next().unwrap_or_default() };
            values.push((name.clone(), decode(raw)));
        }
        values
    }
}
