//! TLS: certificates that can be renewed while the server runs, and the handshake, bounded in time.

use super::{Stage, connection::wait_past, preface, transport::Transport};
use crate::error::Error;
use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_rustls::TlsAcceptor;

/// The first byte of every TLS connection: a handshake record.
const HANDSHAKE_RECORD: u8 = 0x16;

/// The answer to a client that speaks without TLS at a port that asks for it.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 53\r\n\
    connection: close\r\n\r\nThis port speaks TLS; use https or a secure channel.\n";

/// What a door speaks inside of TLS; ALPN's names for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// gRPC. A client must name it, as the protocol asks, so that nothing else is ever taken for it.
    Http2,
    /// REST. A client may name it.
    Http1,
}

impl Inside {
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

/// Certificates and keys in PEM.
#[derive(Clone)]
pub struct TlsPem {
    /// The server's certificate, and those between it and the root, in that order.
    pub certificates: Vec<u8>,
    /// Its private key, not encrypted.
    pub key: Vec<u8>,
    /// Who may sign clients' certificates; none: clients are not asked for one.
    pub client_ca: Option<Vec<u8>>,
}

impl fmt::Debug for TlsPem {
    /// The key is nobody's to read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsPem")
            .field("has_client_ca", &self.client_ca.is_some())
            .finish_non_exhaustive()
    }
}

/// One door's TLS: what the next handshake uses. Connections keep what they began with.
pub struct Tls {
    inside: Inside,
    current: ArcSwap<ServerConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("inside", &self.inside).finish_non_exhaustive()
    }
}

/// A new set of certificates, found to be whole and not yet in use.
pub struct Renewal(Arc<ServerConfig>);

impl Tls {
    /// `INVALID_ARGUMENT` when the certificates cannot be used; the text says which and why.
    pub fn new(inside: Inside, pem: &TlsPem) -> Result<Self, Error> {
        let current = ArcSwap::from_pointee(build(inside, pem)?);
        Ok(Self { inside, current })
    }

    /// Checks new certificates as [`Tls::new`] does; nothing changes yet.
    pub fn prepare(&self, pem: &TlsPem) -> Result<Renewal, Error> {
        build(self.inside, pem).map(Arc::new).map(Renewal)
    }

    /// From now on handshakes use these. Sessions of before cannot be resumed, so every client is asked anew.
    pub fn renew(&self, renewal: Renewal) {
        self.current.store(renewal.0);
    }

    /// The connection inside of TLS; none when there was no handshake within `patience`, or none that can be
    /// taken, or the server closed meanwhile.
    pub(super) async fn accept(
        &self,
        io: Transport,
        patience: Duration,
        stage: &mut watch::Receiver<Stage>,
    ) -> Option<Transport> {
        tokio::select! {
            accepted = timeout(patience, self.shake_hands(io)) => accepted.ok().flatten(),
            _ = wait_past(stage, Stage::Open) => None,
        }
    }

    async fn shake_hands(&self, mut io: Transport) -> Option<Transport> {
        if !begins_with_tls(&io).await.ok()? {
            // A client that does not take it is gone already.
            let _ = preface::refuse(&mut io, NOT_TLS).await;
            return None;
        }
        // How a handshake failed was told to the client by an alert; it is its client's affair.
        let stream = TlsAcceptor::from(self.current.load_full()).accept(io).await.ok()?;
        let named = stream.get_ref().1.alpn_protocol();
        let is_expected = self.inside == Inside::Http1 || named == Some(self.inside.alpn());
        is_expected.then(|| Transport::Tls(Box::new(stream)))
    }
}

/// Whether what comes is TLS, as far as can be seen without taking it: no other socket than TCP's can be asked.
async fn begins_with_tls(io: &Transport) -> io::Result<bool> {
    let Transport::Tcp(stream) = io else { return Ok(true) };
    let mut first = [HANDSHAKE_RECORD];
    stream.peek(&mut first).await?;
    Ok(first == [HANDSHAKE_RECORD])
}

fn build(inside: Inside, pem: &TlsPem) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let certificates = read_certificates(&pem.certificates, "server certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|error| {
        invalid(format!("the server key is no private key in PEM, or it is encrypted: {error}"))
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS: {error}")))?;
    let builder = match &pem.client_ca {
        Some(ca) => builder.with_client_cert_verifier(build_verifier(ca, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => invalid("the server key does not belong to the certificate"),
        error => invalid(format!("certificate and key cannot be used: {error}")),
    })?;
    config.alpn_protocols = vec![inside.alpn().to_vec()];
    Ok(config)
}

fn build_verifier(ca: &[u8], provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for root in read_certificates(ca, "CA for clients")? {
        roots.add(root).map_err(|error| invalid(format!("the CA for clients cannot be used: {error}")))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| invalid(format!("the CA for clients cannot be used: {error}")))
}

fn read_certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(format!("the {what} is no PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(invalid(format!("the {what} holds no certificate in PEM")));
    }
    Ok(certificates)
}

fn invalid(reason: impl fmt::Display) -> Error {
    Error::invalid_argument(format!("TLS cannot be used: {reason}"))
}
