//! The server itself: what it serves, what it keeps, and how many connections it takes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use faultd::{Content, Server};

/// The answer of a server to the request for a path.
fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    write!(stream, "GET /{path} HTTP/1.1\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[cfg(unix)]
#[test]
fn it_serves_its_folder_alone() {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("www");
    fs::create_dir_all(folder.join("in")).expect("made");
    fs::write(folder.join("in/file"), "inside").expect("written");
    fs::write(outer.path().join("secret"), "outside").expect("written");
    fs::create_dir(outer.path().join("www-too")).expect("made");
    fs::write(outer.path().join("www-too/secret"), "outside").expect("written");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).expect("planted");
    link("..", "up");
    link("../secret", "leaf");
    link("../www-too", "beside");
    link("in", "within");
    link("/dev/zero", "zero");
    let server = Server::start("127.0.0.1:0", Content::Folder(folder.clone()), Vec::new()).expect("a port");
    assert!(get(&server, "in/file").starts_with("HTTP/1.1 200"));
    assert!(
        get(&server, "within/file").starts_with("HTTP/1.1 200"),
        "it stays in the folder"
    );
    for path in [
        "up/secret",
        "leaf",
        "beside/secret",
        "../secret",
        "in/../../secret",
        "zero",
        "in",
        "",
    ] {
        assert!(get(&server, path).starts_with("HTTP/1.1 404"), "{path}");
    }
}

#[test]
fn it_keeps_the_last_heads_and_a_bounded_number_of_connections() {
    let content = Content::Bytes(Arc::from(*b"x"));
    let server = Server::start("127.0.0.1:0", content, Vec::new()).expect("a port");
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    for number in 0..5000 {
        // In one piece: what comes in several waits for an acknowledgement of the first.
        let head = format!("HEAD /{number} HTTP/1.1\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut part = [0; 256];
            let read = stream.read(&mut part).expect("an answer");
            assert!(read > 0, "the server closed the connection");
            answer.extend_from_slice(&part[..read]);
        }
    }
    let heads = server.requests();
    assert_eq!(heads.len(), 4096);
    assert!(heads[0].starts_with("HEAD /904 ") && heads[4095].starts_with("HEAD /4999 "));
    assert!(!format!("{server:?}").contains("HEAD"), "requests hold secrets");

    // Silent clients take up places until they go.
    let silent: Vec<TcpStream> = (0..400)
        .map(|_| TcpStream::connect(server.address()).expect("connected"))
        .collect();
    let refused = silent.iter().filter(|stream| {
        stream
            .set_read_timeout(Some(std::time::Duration::from_millis(20)))
            .expect("set");
        matches!((&mut &**stream).read(&mut [0]), Ok(0))
    });
    assert!(refused.count() >= 400 - 256);
    drop((silent, stream));
    let answered = |_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut stream = TcpStream::connect(server.address()).ok()?;
        stream
            .write_all(b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n")
            .ok()?;
        stream.read_exact(&mut [0; 12]).ok()
    };
    assert!(
        (0..500).any(|number| answered(number).is_some()),
        "there is room again"
    );
}
