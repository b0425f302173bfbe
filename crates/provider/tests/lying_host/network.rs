//! A relay between a client and the provider that does mischief to what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a client of these tests waits for an answer that may never come.
pub const PATIENCE: Duration = Duration::from_millis(400);
/// What passes untouched first: the handshake's beginning, so that mischief meets both it and what follows.
const UNTOUCHED: usize = 700;

/// What it does, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// Each part twice.
    Repeats,
    /// Loses the last byte of each part.
    Truncates,
    /// One bit of each part is another.
    Changes,
    /// Cuts the connection off.
    CutsOff,
    /// Cuts it off before anything has passed.
    CutsOffAtOnce,
    /// Passes nothing on any more, and keeps the connection open.
    Stalls,
}

impl Mischief {
    pub const ALL: [Self; 6] = [
        Self::Repeats,
        Self::Truncates,
        Self::Changes,
        Self::CutsOff,
        Self::CutsOffAtOnce,
        Self::Stalls,
    ];
}

pub struct BadNetwork {
    pub port: u16,
    connections: Arc<AtomicUsize>,
}

impl BadNetwork {
    /// In front of this port of this machine. Its threads end with their connections.
    pub fn between(port: u16, mischief: Mischief) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let Ok(to) = TcpStream::connect(("127.0.0.1", port)) else {
                    return;
                };
                let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to, mischief));
                std::thread::spawn(move || pass(back_from, back_to, mischief));
            }
        });
        Self { port: own, connections }
    }

    /// Connections that went through it.
    pub fn seen(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mischief: Mischief) {
    let untouched = if mischief == Mischief::CutsOffAtOnce {
        0
    } else {
        UNTOUCHED
    };
    let (mut buffer, mut passed) = ([0; 4096], 0);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let part = &mut buffer[..length];
        let written = if passed < untouched {
            to.write_all(part)
        } else {
            match mischief {
                Mischief::Repeats => to.write_all(part).and_then(|()| to.write_all(part)),
                Mischief::Truncates => to.write_all(&part[..length - 1]),
                Mischief::Changes => {
                    part[length / 2] ^= 1;
                    to.write_all(part)
                }
                Mischief::CutsOff | Mischief::CutsOffAtOnce => break,
                Mischief::Stalls => Ok(()),
            }
        };
        passed += length;
        if written.is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
