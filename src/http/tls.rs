//! TLS configuration.
//!
//! Owns roots of trust, client certificate and ALPN. Leaves handshakes to the connector and their errors to
//! `error.rs`. What a user can get wrong (files) is read when a run is set up; what only takes time (the
//! system's roots) is loaded at the first `https` request.
//!
//! Invariant: no process-wide default; two runs in one process may trust different certificates.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::error::tls_reason;
use super::options::{HttpOptions, VersionChoice};
use super::setup_error::SetupError;
use crate::system::{read_file, trusted_roots};

/// Largest file of certificates, in bytes; a wrong file name should not fill the memory.
const LARGEST_FILE: u64 = 16 << 20;

/// The TLS side of a run.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    insecure: bool,
    extra_roots: Vec<CertificateDer<'static>>,
    client: Option<Arc<SingleCertAndKey>>,
    /// Without ALPN; the others are copies of it that share its session store.
    base: OnceLock<Result<ClientConfig, String>>,
    auto: OnceLock<Arc<ClientConfig>>,
    http1: OnceLock<Arc<ClientConfig>>,
    http2: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    /// Reads the files that the options name.
    pub(super) fn new(options: &HttpOptions) -> Result<Tls, SetupError> {
        let provider = Arc::new(ring::default_provider());
        let extra_roots = match &options.ca_file {
            Some(path) => certificates(&read(options, path)?, path)?,
            None => Vec::new(),
        };
        // Adding them to a store that is thrown away tells whether they can be used at all.
        for certificate in &extra_roots {
            RootCertStore::empty().add(certificate.clone()).map_err(|error| SetupError::Pem {
                path: options.ca_file.clone().unwrap_or_default(),
                reason: tls_reason(&error),
            })?;
        }
        let client = match &options.client_cert {
            Some(path) => Some(client_certificate(&read(options, path)?, path, &provider)?),
            None => None,
        };
        Ok(Tls {
            provider,
            insecure: options.insecure,
            extra_roots,
            client,
            base: OnceLock::new(),
            auto: OnceLock::new(),
            http1: OnceLock::new(),
            http2: OnceLock::new(),
        })
    }

    /// The configuration for connections of this version; made at the first call, which reads the system's
    /// roots (some ten milliseconds).
    pub(super) fn config(&self, version: VersionChoice) -> Result<Arc<ClientConfig>, String> {
        let base = self.base.get_or_init(|| self.build().map_err(|error| tls_reason(&error))).as_ref()?;
        let (slot, protocols): (_, &[&[u8]]) = match version {
            VersionChoice::Auto => (&self.auto, &[b"h2", b"http/1.1"]),
            VersionChoice::Http1 => (&self.http1, &[b"http/1.1"]),
            VersionChoice::Http2 => (&self.http2, &[b"h2"]),
        };
        let config = slot.get_or_init(|| {
            let mut config = base.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        });
        Ok(config.clone())
    }

    fn build(&self) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(self.provider.clone())))
        } else if self.extra_roots.is_empty() {
            builder.with_root_certificates(trusted_roots())
        } else {
            let mut roots = trusted_roots();
            roots.add_parsable_certificates(self.extra_roots.iter().cloned());
            let authorities =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
            let named = Named { authorities, certificates: self.extra_roots.clone() };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(named))
        };
        Ok(match &self.client {
            Some(client) => builder.with_client_cert_resolver(client.clone()),
            None => builder.with_no_client_auth(),
        })
    }
}

fn read(options: &HttpOptions, path: &Path) -> Result<Arc<[u8]>, SetupError> {
    if let Some(content) = options.contents.get(path) {
        return Ok(content.clone());
    }
    read_file(path, LARGEST_FILE)
        .map(Arc::from)
        .map_err(|error| SetupError::File { path: path.to_owned(), reason: error.to_string() })
}

fn certificates(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let pem = |reason: String| SetupError::Pem { path: path.to_owned(), reason };
    let found: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| pem(error.to_string()))?;
    if found.is_empty() {
        return Err(pem("it contains no '-----BEGIN CERTIFICATE-----'".to_owned()));
    }
    Ok(found)
}

fn client_certificate(
    text: &[u8],
    path: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<SingleCertAndKey>, SetupError> {
    let pem = |reason: String| SetupError::Pem { path: path.to_owned(), reason };
    let chain = certificates(text, path)?;
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| {
        pem(format!("it contains no usable private key besides the certificate ({error})"))
    })?;
    let pair = CertifiedKey::from_der(chain, key, provider).map_err(|error| pem(tls_reason(&error)))?;
    Ok(Arc::new(SingleCertAndKey::from(pair)))
}

/// Trusts every certificate: what `insecure` asks for.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Trusts what the authorities vouch for, and besides that the certificates of `ca_file` themselves: a server may well have
/// one that it has signed for itself, which no authority's rules allow (`openssl req -x509`).
#[derive(Debug)]
struct Named {
    authorities: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Named {
    /// What to say of a certificate that the authorities refused for this reason, if it is one of these: that it is valid
    /// for this server, or not. One without any names, as old tools make them, is good for every server.
    fn verdict(
        &self,
        end_entity: &CertificateDer<'_>,
        refused: &CertificateError,
        server: &ServerName<'_>,
    ) -> Option<Result<(), rustls::Error>> {
        let is_out_of_time = matches!(
            refused,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        );
        if is_out_of_time || !self.certificates.iter().any(|known| **known == **end_entity) {
            return None;
        }
        match verify_server_name(&ParsedCertificate::try_from(end_entity).ok()?, server) {
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented,
                ..
            })) if presented.is_empty() => Some(Ok(())),
            verified => Some(verified),
        }
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(rustls::Error::InvalidCertificate(refused)) = &verified else { return verified };
        match self.verdict(end_entity, refused, server_name) {
            Some(verdict) => verdict.map(|()| ServerCertVerified::assertion()),
            None => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
