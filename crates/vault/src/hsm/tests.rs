//! What the pool promises, over a module that does as the test wants. The real thing: `tests/hsm.rs`.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};

use store::TenantId;

use super::session::{Session, Trouble};
use super::*;

/// What the module does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Answer,
    Lose,
    Refuse(HsmError),
    /// Answers when the test says so.
    Wait,
}

#[derive(Default)]
struct Script {
    /// For `connect`, then `Answer` for ever.
    connecting: VecDeque<Act>,
    /// For `perform`, likewise.
    performing: VecDeque<Act>,
    connected: usize,
    performed: usize,
}

struct Fake {
    script: Mutex<Script>,
    released: (Mutex<bool>, Condvar),
    started: Mutex<Sender<()>>,
}

struct FakeSession(Arc<Fake>);

struct Hand(Arc<Fake>);

impl Fake {
    fn act(self: &Arc<Self>, act: Act) -> Result<(), Trouble> {
        match act {
            Act::Answer => Ok(()),
            Act::Lose => Err(Trouble::Lost),
            Act::Refuse(error) => Err(Trouble::Refused(error)),
            Act::Wait => {
                let _ = self.started.lock().unwrap().send(());
                let mut released = self.released.0.lock().unwrap();
                while !*released {
                    released = self.released.1.wait(released).unwrap();
                }
                Ok(())
            }
        }
    }

    fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }
}

impl Session for FakeSession {
    fn perform(&mut self, _: &Request) -> Result<Answer, Trouble> {
        let act = {
            let mut script = self.0.script.lock().unwrap();
            script.performed += 1;
            script.performing.pop_front().unwrap_or(Act::Answer)
        };
        self.0.act(act).map(|()| Answer::Signature([7; 64]))
    }
}

impl Connector for Hand {
    fn connect(&self, _: &Pin) -> Result<Box<dyn Session>, HsmError> {
        let act = {
            let mut script = self.0.script.lock().unwrap();
            script.connected += 1;
            script.connecting.pop_front().unwrap_or(Act::Answer)
        };
        match self.0.act(act) {
            Ok(()) => Ok(Box::new(FakeSession(Arc::clone(&self.0)))),
            Err(Trouble::Lost) => Err(HsmError::Gone),
            Err(Trouble::Refused(error)) => Err(error),
        }
    }
}

fn hsm(sessions: usize, connecting: &[Act], performing: &[Act]) -> (Hsm, Arc<Fake>, Receiver<()>) {
    let (started, has_started) = channel();
    let fake = Arc::new(Fake {
        script: Mutex::new(Script {
            connecting: connecting.iter().copied().collect(),
            performing: performing.iter().copied().collect(),
            ..Script::default()
        }),
        released: (Mutex::new(false), Condvar::new()),
        started: Mutex::new(started),
    });
    let pin = Pin::parse(b"1234\n").unwrap();
    let hand = Arc::new(Hand(Arc::clone(&fake)));
    (
        Hsm::over(hand, pin, sessions, Duration::from_millis(40)),
        fake,
        has_started,
    )
}

fn id() -> KeyId {
    KeyId::of(TenantId::from_bytes([1; 16]), 2, "k")
}

fn sign(hsm: &Hsm) -> Result<[u8; 64], HsmError> {
    hsm.sign(id(), b"message")
}

#[test]
fn slow_module_costs_its_callers_the_limit_and_others_nothing() {
    let (hsm, fake, started) = hsm(2, &[], &[Act::Wait]);
    assert_eq!(sign(&hsm), Err(HsmError::Slow));
    started.recv().unwrap();
    assert_eq!(sign(&hsm), Ok([7; 64]), "the other session goes on");
    fake.release();
    assert_eq!(sign(&hsm), Ok([7; 64]));
}

#[test]
fn hanging_module_fills_its_queue_and_then_refuses_at_once() {
    let (hsm, fake, started) = hsm(1, &[], &[Act::Wait]);
    assert_eq!(sign(&hsm), Err(HsmError::Slow));
    started.recv().unwrap();
    let outcomes = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..80).map(|_| scope.spawn(|| sign(&hsm))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Err(HsmError::Slow | HsmError::Busy)))
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Err(HsmError::Busy))
            .count(),
        80 - 64
    );
    fake.release();
    // What nobody waits for any more is not done: the queue empties without 64 signatures.
    while sign(&hsm).is_err() {}
    assert!(fake.script.lock().unwrap().performed < 8);
}

#[test]
fn module_that_is_gone_is_said_to_be_gone_until_it_is_back() {
    let (hsm, fake, _) = hsm(1, &[Act::Answer, Act::Lose, Act::Lose], &[Act::Answer, Act::Lose]);
    assert!(sign(&hsm).is_ok());
    assert_eq!(sign(&hsm), Err(HsmError::Gone), "session lost, no new one");
    assert_eq!(sign(&hsm), Err(HsmError::Gone));
    assert_eq!(sign(&hsm), Ok([7; 64]), "it is back, and nobody had to do anything");
    assert_eq!(fake.script.lock().unwrap().connected, 4);
}

#[test]
fn lost_session_is_replaced_within_the_request_if_that_may_be_repeated() {
    let (one, _, _) = hsm(1, &[], &[Act::Answer, Act::Lose]);
    assert!(sign(&one).is_ok());
    assert!(sign(&one).is_ok(), "second session, second try");
    let (other, fake, _) = hsm(1, &[], &[Act::Answer, Act::Lose]);
    assert!(sign(&other).is_ok());
    assert_eq!(other.generate_wrapping_key("w"), Err(HsmError::Gone));
    assert_eq!(
        fake.script.lock().unwrap().performed,
        2,
        "nobody knows whether the key was made"
    );
}

#[test]
fn wrong_pin_is_tried_once_by_all_sessions_together() {
    let (hsm, fake, _) = hsm(4, &[Act::Refuse(HsmError::PinWrong)], &[]);
    let outcomes = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| sign(&hsm))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    let count = |error| outcomes.iter().filter(|outcome| **outcome == Err(error)).count();
    assert_eq!((count(HsmError::PinWrong), count(HsmError::PinNotTriedAgain)), (1, 15));
    assert_eq!(fake.script.lock().unwrap().connected, 1);
    hsm.replace_pin(Pin::parse(b"5678").unwrap());
    assert!(sign(&hsm).is_ok());
}

#[test]
fn locked_module_says_so() {
    let (hsm, fake, _) = hsm(1, &[Act::Refuse(HsmError::PinLocked)], &[]);
    assert_eq!(sign(&hsm), Err(HsmError::PinLocked));
    assert_eq!(sign(&hsm), Err(HsmError::PinNotTriedAgain));
    assert_eq!(fake.script.lock().unwrap().connected, 1);
}

#[test]
fn refusal_of_one_request_leaves_the_session_alive() {
    let (hsm, fake, _) = hsm(1, &[], &[Act::Refuse(HsmError::KeyAbsent)]);
    assert_eq!(sign(&hsm), Err(HsmError::KeyAbsent));
    assert!(sign(&hsm).is_ok());
    assert_eq!(fake.script.lock().unwrap().connected, 1);
}

#[test]
fn answer_to_another_question_is_no_answer() {
    let (hsm, _, _) = hsm(1, &[], &[]);
    assert_eq!(hsm.public_key(id()).unwrap_err(), HsmError::Failed);
    assert_eq!(hsm.check(), Err(HsmError::Failed));
}

#[test]
fn pins_have_limits_and_print_nothing() {
    for bad in [&b""[..], b"123", b"12\n", b"12\x0034", &[0xff; 8], &[b'1'; 65]] {
        assert!(Pin::parse(bad).is_err());
    }
    for (good, text) in [
        (&b"1234"[..], "1234"),
        (b"1234\n", "1234"),
        (b"1234\r\n", "1234"),
        (b" 1234", " 1234"),
    ] {
        assert_eq!(Pin::parse(good).unwrap().text(), text);
    }
    assert_eq!(format!("{:?}", Pin::parse(b"1234").unwrap()), "Pin");
    let access = HsmAccess {
        module: PathBuf::from("m"),
        token_label: "t".into(),
        pin: Pin::parse(b"1234").unwrap(),
        sessions: 1,
        limit: Duration::from_secs(1),
    };
    assert!(!format!("{access:?}").contains("1234"));
}

#[test]
fn labels_have_limits() {
    let (hsm, fake, _) = hsm(1, &[], &[]);
    for bad in ["", "with space", "ümlaut", &"x".repeat(33)] {
        assert_eq!(hsm.generate_wrapping_key(bad), Err(HsmError::Label));
    }
    assert_eq!(fake.script.lock().unwrap().performed, 0);
}

#[test]
fn every_error_has_a_code_of_its_own() {
    for (index, error) in HsmError::ALL.into_iter().enumerate() {
        assert!(error.code().starts_with("hsm."));
        assert!(HsmError::ALL[..index].iter().all(|other| other.code() != error.code()));
    }
}

#[test]
fn ids_of_keys_differ_by_tenant_role_and_name() {
    let id = |tenant, role, kid| *KeyId::of(TenantId::from_bytes([tenant; 16]), role, kid).as_bytes();
    let ids = [id(1, 2, "k"), id(2, 2, "k"), id(1, 1, "k"), id(1, 2, "l")];
    for (index, one) in ids.iter().enumerate() {
        assert!(ids[..index].iter().all(|other| other != one));
    }
}
