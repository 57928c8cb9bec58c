//! Prometheus and Alertmanager behind something that wants to know who asks: a tenant, a token, a password, a certificate.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::routing::{get, post};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::hostile::sample;
use crate::program::{Program, firing, wait_for, write_private};

const SICK: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"0"]}]}}"#;

/// Everything is sick, and nothing stands, for whoever has these headers. The rest is told what Mimir tells who names no tenant.
fn demanding(wanted: &'static [(&'static str, &'static str)]) -> Router {
    let look = move |headers: HeaderMap, request: Request, next: Next| async move {
        let has = |(name, value): &(&str, &str)| headers.get_all(*name).iter().any(|is| is == value);
        if wanted.iter().all(has) { next.run(request).await } else { refusal() }
    };
    let json = [("content-type", "application/json")];
    Router::new()
        .route("/prometheus/api/v1/query", post(move || async move { (json, SICK) }))
        .route("/alertmanager/api/v2/alerts/groups", get(move || async move { (json, "[]") }))
        .layer(from_fn(look))
}

fn refusal() -> axum::response::Response {
    axum::response::IntoResponse::into_response((StatusCode::UNAUTHORIZED, "no org id\n"))
}

struct Server {
    _runtime: tokio::runtime::Runtime,
    address: String,
}

impl Server {
    fn plain(app: Router) -> Self {
        let (runtime, listener, address) = listening();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { _runtime: runtime, address: format!("http://{address}") }
    }

    /// With the certificates of a directory; clients must show one that its CA has signed.
    fn tls(app: Router, dir: &Path) -> Self {
        let (runtime, tcp, address) = listening();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let chain = vec![CertificateDer::from_pem_file(dir.join("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap();
        let listener = Tls { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { _runtime: runtime, address: format!("https://{address}") }
    }
}

fn listening() -> (tokio::runtime::Runtime, TcpListener, std::net::SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    (runtime, listener, address)
}

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // Who shows no certificate is no connection.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// The files of a program that asks a server with these keys beside the address.
fn lay_out(server: &Server, keys: &str) -> tempfile::TempDir {
    let at = |path: &str| format!("{{url: '{}/{path}', {keys}}}", server.address);
    Program::lay_out(&[
        ("prometheus: http://127.0.0.1:9\n", &format!("prometheus: {}\n", at("prometheus"))),
        ("alertmanager: http://127.0.0.1:9\n", &format!("alertmanager: {}\nreconcile: 200ms\n", at("alertmanager"))),
    ])
}

fn metric(program: &Program, name: &str) -> f64 {
    sample(&program.get("/metrics").1, &format!("vvtv_remediator_{name}"))
}

/// Both answer: health is known, and the list is read.
fn works(program: &Program) {
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("a change, which only a sick target gets", || match program.written() {
        lines if lines == ["looked", "mended"] => Ok(()),
        lines => Err(format!("{lines:?} {:?}", program.logged().last())),
    });
    wait_for("a look at the list", || match metric(program, r#"reconciliations_total{result="ok"}"#) {
        0.0 => Err(format!("{:?}", program.logged().last())),
        _ => Ok(()),
    });
}

/// Neither answers, and the log says this of each.
fn fails(program: &Program, of_prometheus: &str, of_alertmanager: &str) {
    assert_eq!(program.deliver(firing("main")).0, 200);
    for (what, said) in
        [("cannot list the targets", of_prometheus), ("cannot compare with Alertmanager", of_alertmanager)]
    {
        wait_for(said, || {
            let lines: Vec<_> = program.logged().into_iter().filter(|line| line.contains(what)).collect();
            if lines.iter().any(|line| line.contains(said)) { Ok(()) } else { Err(format!("{:?}", program.logged())) }
        });
    }
    wait_for("the change to wait for health", || match program.incidents().first() {
        Some(incident) if incident["reason"] == "health_unknown" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), ["looked"]);
    assert_eq!(metric(program, r#"reconciliations_total{result="ok"}"#), 0.0);
}

#[test]
fn a_tenant_is_named_to_mimir_and_without_one_its_refusal_is_said() {
    let server = Server::plain(demanding(&[("x-scope-orgid", "team-a"), ("x-more", "one"), ("x-more", "two")]));
    let headers = "http_headers: {X-Scope-OrgID: {values: [team-a]}, X-More: {values: [one, two]}}";
    works(&Program::start_in(lay_out(&server, headers)));
    let of_alertmanager = "Alertmanager answers 401 Unauthorized when asked for its alerts: no org id";
    fails(
        &Program::start_in(lay_out(&server, "http_headers: {X-Scope-OrgID: {values: [team-b]}}")),
        "Prometheus answered 401: no org id",
        of_alertmanager,
    );
}

#[test]
fn tokens_and_passwords_come_from_files_and_the_environment_and_are_not_written_down() {
    let bearer = Server::plain(demanding(&[
        ("authorization", "Bearer t0ken-of-the-remediator"),
        ("x-key", "k3y-of-the-remediator"),
    ]));
    let dir = lay_out(&bearer, "authorization: {credentials_file: token}, http_headers: {X-Key: {env: [X_KEY]}}");
    write_private(&dir.path().join("token"), "t0ken-of-the-remediator\n");
    let environment = [("X_KEY", "k3y-of-the-remediator".to_owned())];
    let program = Program::start_with_environment(dir, &environment);
    works(&program);
    // Their refusals are shown, secrets are not.
    program.rewrite("token", |_| "wr0ng-token\n".to_owned());
    let program = Program::start_with_environment(program.killed(), &environment);
    wait_for("its refusal", || match program.logged().iter().find(|line| line.contains("no org id")) {
        Some(_) => Ok(()),
        None => Err(format!("{:?}", program.logged())),
    });
    let said = program.logged().join("\n");
    assert!(!said.contains("t0ken") && !said.contains("k3y") && !said.contains("wr0ng"), "{said}");

    // As `printf u:p@ss-word | base64` has it.
    let basic = Server::plain(demanding(&[("authorization", "Basic dTpwQHNzLXdvcmQ=")]));
    let dir = lay_out(&basic, "basic_auth: {username: u, password_env: PASSWORD_OF_PROMETHEUS}");
    let environment = [("PASSWORD_OF_PROMETHEUS", "p@ss-word".to_owned())];
    works(&Program::start_with_environment(dir, &environment));
}

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(dir).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A CA, and a server's and a client's certificate of it.
fn certificates(dir: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
    for (name, extensions) in [
        ("server", "subjectAltName=DNS:mimir.example\nextendedKeyUsage=serverAuth\n"),
        ("client", "subjectAltName=DNS:remediator.example\nextendedKeyUsage=clientAuth\n"),
    ] {
        std::fs::write(dir.join("extensions"), extensions).unwrap();
        openssl(dir, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let signed =
            format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions");
        openssl(dir, &format!("{signed} -out {name}.pem"));
    }
}

#[test]
fn a_server_that_wants_a_certificate_gets_ours_and_shows_one_of_the_ca_that_is_named() {
    let files = tempfile::tempdir().unwrap();
    certificates(files.path());
    let server = Server::tls(demanding(&[]), files.path());
    let at = |name: &str| files.path().join(name).display().to_string();
    let (ca, certificate, key) = (at("ca.pem"), at("client.pem"), at("client.key"));
    let ours = format!("cert_file: {certificate}, key_file: {key}");
    let tls = |keys: String| lay_out(&server, &format!("tls_config: {{{keys}}}"));
    works(&Program::start_in(tls(format!("ca_file: {ca}, server_name: mimir.example, {ours}"))));
    let nobody = Program::start_in(tls(format!("ca_file: {ca}, server_name: mimir.example")));
    fails(&nobody, "cannot ask Prometheus at https://", "cannot ask Alertmanager for its alerts");
    let misnamed = Program::start_in(tls(format!("ca_file: {ca}, {ours}")));
    fails(&misnamed, "certificate", "certificate");
    let unknown = Program::start_in(tls(format!("server_name: mimir.example, {ours}")));
    fails(&unknown, "certificate", "certificate");
}
