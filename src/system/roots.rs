//! Trusted root certificates.

use tokio_rustls::rustls::RootCertStore;

/// The bundled roots and the system's; reading those takes some ten milliseconds.
///
/// The bundled ones make a machine without its own (a container) work; the system's add what its administrator trusts.
/// Certificates that cannot be parsed are left out, as everybody does.
pub(crate) fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
