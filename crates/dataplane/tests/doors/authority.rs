//! Certificates for tests: an authority, what it signs, and clients that trust it.

use crate::support::soon;
use dataplane::server::{
    ServerOptions,
    tls::{Inside, Tls, TlsPem},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate and its key.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn sign(&self, years: (i32, i32)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    pub fn sign_valid(&self) -> Pair {
        self.sign((2000, 2999))
    }

    /// What a server needs, with a new certificate of this authority.
    pub fn server(&self, client_ca: Option<&Self>) -> TlsPem {
        let Pair { certificate, key } = self.sign_valid();
        TlsPem {
            certificates: certificate.into_bytes(),
            key: key.into_bytes(),
            client_ca: client_ca.map(|ca| ca.certificate.clone().into_bytes()),
        }
    }

    /// A client that trusts this authority.
    pub fn client(&self, protocol: &str, own: Option<&Pair>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(Pair { certificate, key }) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = if protocol.is_empty() { vec![] } else { vec![protocol.as_bytes().to_vec()] };
        TlsConnector::from(Arc::new(config))
    }
}

/// Both doors behind TLS.
pub fn secure(options: &mut ServerOptions, pem: &TlsPem) {
    options.grpc_tls = Some(Arc::new(Tls::new(Inside::Http2, pem).unwrap()));
    options.rest_tls = Some(Arc::new(Tls::new(Inside::Http1, pem).unwrap()));
}

pub async fn connect<IO>(connector: &TlsConnector, io: IO) -> io::Result<TlsStream<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    soon(connector.connect(ServerName::try_from("localhost").unwrap(), io)).await
}
