//! Certificates and the TLS side of a server.

use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// For localhost, signed by [`authority`].
    Good,
    /// Signed by nobody.
    Unknown,
    Expired,
    WrongName,
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn made() -> &'static Authority {
    static MADE: OnceLock<Authority> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    })
}

/// The certificate of the authority that signs for these servers, as PEM.
pub(crate) fn authority() -> &'static str {
    &made().pem
}

pub(crate) fn acceptor(certificate: Certificate) -> TlsAcceptor {
    let name = if certificate == Certificate::WrongName { "elsewhere.example" } else { "localhost" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if certificate == Certificate::Expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let shown: CertificateDer<'static> = match certificate {
        Certificate::Unknown => params.self_signed(&key).unwrap().into(),
        _ => params.signed_by(&key, &made().issuer).unwrap().into(),
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![shown], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}
