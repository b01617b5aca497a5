use tokio::net::TcpListener;

use super::*;

/// Turns every bit round, and adds a byte that must be there again.
struct Flip;

impl Seal for Flip {
    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, String> {
        Ok(plain.iter().map(|byte| !byte).chain([0x5A]).collect())
    }

    fn unwrap(&mut self, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let (last, rest) = sealed.split_last().ok_or("empty")?;
        if *last == 0x5A { Ok(rest.iter().map(|byte| !byte).collect()) } else { Err("broken seal".to_owned()) }
    }
}

async fn pair(chunk: usize) -> (TcpStream, UnixStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let (plain, local) = UnixStream::pair().unwrap();
    tokio::spawn(pump(Flip, tcp, local, chunk));
    (server, plain)
}

fn frame(plain: &[u8]) -> Vec<u8> {
    let sealed = Flip.wrap(plain).unwrap();
    [&u32::try_from(sealed.len()).unwrap().to_be_bytes()[..], &sealed].concat()
}

#[tokio::test]
async fn what_a_controller_packs_arrives_whole() {
    let (mut server, mut plain) = pair(100).await;
    let all: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
    let frames: Vec<u8> = all.chunks(70_001).flat_map(frame).collect();
    let sending = tokio::spawn(async move {
        // In pieces that split the frames' heads.
        for piece in frames.chunks(4_097) {
            server.write_all(piece).await.unwrap();
        }
        server
    });
    let mut read = vec![0; all.len()];
    plain.read_exact(&mut read).await.unwrap();
    assert!(read == all);
    drop(sending.await.unwrap());
    assert_eq!(plain.read(&mut read).await.unwrap(), 0, "the end is told");
}

#[tokio::test]
async fn no_frame_is_longer_than_the_controller_takes() {
    let (mut server, mut plain) = pair(100).await;
    plain.write_all(&[7; 250]).await.unwrap();
    let mut read = Vec::new();
    while read.len() < 250 {
        let length = server.read_u32().await.unwrap();
        assert!(length <= 101);
        let mut sealed = vec![0; usize::try_from(length).unwrap()];
        server.read_exact(&mut sealed).await.unwrap();
        read.extend(Flip.unwrap(&sealed).unwrap());
    }
    assert_eq!(read, [7; 250]);
}

#[tokio::test]
async fn a_frame_that_is_broken_or_too_long_ends_the_connection() {
    let mut spoilt = frame(b"x");
    *spoilt.last_mut().unwrap() = 0;
    let long = u32::try_from(limits::SEALED_FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
    for bytes in [spoilt, long] {
        let (mut server, mut plain) = pair(100).await;
        server.write_all(&bytes).await.unwrap();
        assert_eq!(plain.read(&mut [0; 8]).await.unwrap(), 0);
    }
}

#[test]
fn offers_of_layers() {
    let check = |offer: &[u8], expected: Option<usize>| assert_eq!(chunk_bytes(offer).ok(), expected, "{offer:?}");
    check(&[7, 0, 0xFF, 0xFF], Some(0xFFFF - SEAL_BYTES_MAX));
    check(&[4, 0xFF, 0xFF, 0xFF], Some(limits::SEALED_FRAME_BYTES_MAX - SEAL_BYTES_MAX));
    check(&[3, 0, 0xFF, 0xFF], None);
    check(&[4, 0, 0, 9], None);
    check(&[4, 0, 0], None);
    check(&[], None);
}
