//! TLS: certificates from files, chosen by the name that the client asks for (SNI).

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the TLS files of a listener cannot be used.
#[derive(Debug)]
pub struct TlsError {
    /// The file that is to blame.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for TlsError {}

/// The TLS side of a listener.
#[derive(Clone)]
pub struct Tls {
    pub(super) config: Arc<ServerConfig>,
    names: Vec<String>,
}

impl Tls {
    /// Reads certificate chains and keys (PEM; PKCS#8, PKCS#1 or SEC1). The first pair also serves
    /// clients that name no host, or one that no certificate is for.
    ///
    /// # Errors
    /// A file cannot be read, holds no certificate or key, the two do not belong together, or
    /// there is no pair at all.
    pub fn load<C: AsRef<Path>, K: AsRef<Path>>(pairs: &[(C, K)]) -> Result<Tls, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut by_name = ByName { exact: HashMap::new(), wildcard: HashMap::new(), fallback: None };
        let mut names = Vec::new();
        for (cert, key) in pairs {
            let (cert, key) = (cert.as_ref(), key.as_ref());
            let blame = |path: &Path, message: String| TlsError { path: path.to_owned(), message };
            let chain = CertificateDer::pem_file_iter(cert)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|e| blame(cert, format!("expected PEM certificates: {e}")))?;
            let leaf = chain.first().ok_or_else(|| blame(cert, "expected at least one PEM certificate".into()))?;
            let of_this = dns_names(leaf).map_err(|e| blame(cert, format!("not a usable certificate: {e}")))?;
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|e| blame(key, format!("expected a PEM private key: {e}")))?;
            let certified = CertifiedKey::from_der(chain, private, &provider)
                .map_err(|e| blame(key, format!("not the key of {}: {e}", cert.display())))?;
            by_name.add(&of_this, Arc::new(certified));
            names.extend(of_this);
        }
        if by_name.fallback.is_none() {
            return Err(TlsError { path: PathBuf::new(), message: "expected at least one certificate".into() });
        }
        let unusable = |e: rustls::Error| TlsError { path: PathBuf::new(), message: e.to_string() };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(by_name));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Tickets keep no state per client here, and their key is changed by itself.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
        Ok(Tls { config: Arc::new(config), names })
    }

    /// The DNS names of all certificates, wildcards as `*.example.com`.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("names", &self.names).finish_non_exhaustive()
    }
}

fn dns_names(cert: &CertificateDer<'_>) -> Result<Vec<String>, webpki::Error> {
    let cert = webpki::EndEntityCert::try_from(cert)?;
    Ok(cert.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// Certificates by exact name, then by the wildcard one label up, then the first of all.
#[derive(Debug)]
struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    fallback: Option<Arc<CertifiedKey>>,
}

impl ByName {
    /// Of two certificates for one name the first in the configuration wins.
    fn add(&mut self, names: &[String], key: Arc<CertifiedKey>) {
        for name in names {
            let (map, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut self.wildcard, parent),
                None => (&mut self.exact, name.as_str()),
            };
            map.entry(name.to_owned()).or_insert_with(|| key.clone());
        }
        self.fallback.get_or_insert(key);
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls hands the name over in lower case.
        let named = hello.server_name().and_then(|name| {
            let parent = name.split_once('.').map(|(_, parent)| parent);
            self.exact.get(name).or_else(|| self.wildcard.get(parent?))
        });
        named.or(self.fallback.as_ref()).cloned()
    }
}
