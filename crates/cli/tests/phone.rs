//! The headless phone beside a browser, as somebody types it: a login comes to it by a code and then by a button.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{Running, healthid, stderr};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use transport::{AddressRule, HttpClient, HttpClientError, HttpResponse, Roots};

const FIREFOX: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
);

/// A sandbox, and a phone that is bound there.
struct World {
    running: Running,
    runtime: Runtime,
    service: String,
    issuer: String,
}

impl World {
    fn start() -> Self {
        let running = Running::start();
        let file = std::fs::read(running.data.path().join("sandbox.json")).unwrap();
        let description: Value = serde_json::from_slice(&file).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            service: text(&description["services"][0]["pages"]),
            issuer: text(&description["insurers"][0]["issuer"]),
            running,
            runtime: Runtime::new().unwrap(),
        }
    }

    fn path(&self, file: &str) -> String {
        self.running.data.path().join(file).to_str().unwrap().to_owned()
    }

    /// What `healthid phone` says on standard output.
    fn phone(&self, words: &[&str]) -> Result<String, String> {
        let output = healthid(&[&["phone"], words, &["--at", self.running.at()]].concat());
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(stderr(&output))
        }
    }

    fn bound(&self, person: &str, file: &str) -> String {
        let file = self.path(file);
        self.phone(&["bind", "--person", person, "--class", "software", "--out", &file])
            .unwrap();
        file
    }

    fn waiting(&self, device: &str) -> Value {
        let listed = self.phone(&["requests", "--device", device]).unwrap();
        serde_json::from_str::<Value>(&listed).unwrap()["requests"].take()
    }

    fn browser(&self) -> Browser<'_> {
        let client = HttpClient::builder(&Roots::none(), AddressRule::LoopbackAllowed).build();
        Browser {
            world: self,
            client: client.unwrap(),
            cookies: RefCell::default(),
        }
    }
}

/// One half of a move, as a process that is talked to.
struct Half {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Half {
    fn begin(world: &World, words: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_healthid"))
            .args(["phone", "move"])
            .args(words)
            .args(["--at", world.running.at()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn types(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Its last words, on standard output where it did what it was asked for.
    fn end(mut self) -> Result<String, String> {
        let (mut said, mut told) = (String::new(), String::new());
        self.output.read_to_string(&mut said).unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        if self.process.wait().unwrap().success() {
            Ok(said)
        } else {
            Err(told)
        }
    }
}

struct Browser<'w> {
    world: &'w World,
    client: HttpClient,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// A login's page that waits for a phone.
struct Page<'b> {
    browser: &'b Browser<'b>,
    frame: url::Url,
}

impl Browser<'_> {
    fn open(&self, address: &str) -> HttpResponse {
        let cookies = self.cookies();
        let headers = [FIREFOX, ("cookie", &cookies)];
        self.took(self.client.get(address, &headers))
    }

    fn send(&self, address: &str, fields: &[(&str, &str)]) -> HttpResponse {
        let origin = url::Url::parse(address).unwrap().origin().ascii_serialization();
        let cookies = self.cookies();
        let headers = [FIREFOX, ("origin", &origin), ("cookie", &cookies)];
        self.took(self.client.post_form(address, fields, &headers))
    }

    fn took(&self, sent: impl Future<Output = Result<HttpResponse, HttpClientError>>) -> HttpResponse {
        let answer = self.world.runtime.block_on(sent).unwrap();
        let set = answer.headers.iter().filter(|(name, _)| name.as_str() == "set-cookie");
        for (_, cookie) in set {
            let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    fn cookies(&self) -> String {
        let cookies = self.cookies.borrow();
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    /// Nobody is logged in any more; which phone it may ask, it still knows.
    fn forget_logins(&self) {
        self.cookies.borrow_mut().retain(|name, _| name == "healthid_phone");
    }

    fn begin(&self) -> Page<'_> {
        self.forget_logins();
        let answer = self.send(&format!("{}/login", self.world.service), &[("idp", &self.world.issuer)]);
        let page = self.open(answer.header("location").unwrap()).text();
        Page {
            browser: self,
            frame: url::Url::parse(&attribute(&page, "<iframe", "src")).unwrap(),
        }
    }

    /// The page at the end of a few redirects.
    fn follow(&self, mut answer: HttpResponse) -> String {
        while let Some(next) = answer.header("location") {
            let base = url::Url::parse(&self.world.service).unwrap();
            answer = self.open(base.join(next).unwrap().as_str());
        }
        answer.text()
    }
}

impl Page<'_> {
    fn look(&self) -> String {
        self.browser.open(self.frame.as_str()).text()
    }

    fn number(&self) -> String {
        let page = self.look();
        let (_, rest) = page.split_once("class=\"number\"").unwrap();
        let (_, rest) = rest.split_once("<strong>").unwrap();
        rest[..2].to_owned()
    }

    /// What a phone reads in the code.
    fn link(&self) -> String {
        attribute(&self.look(), "class=\"code\"", "href")
    }

    fn post(&self, path: &str, more: &[(&str, &str)]) -> HttpResponse {
        let value = |name: &str| {
            let mut pairs = self.frame.query_pairs();
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        let (client_id, login) = (value("client_id"), value("login"));
        let base = self.frame.as_str().split("/auth/").next().unwrap().to_owned();
        let fields = [&[("client_id", client_id.as_str()), ("login", &login)], more].concat();
        self.browser.send(&format!("{base}/auth/{path}"), &fields)
    }

    /// Presses the button.
    fn send(&self) {
        let answer = self.post("phone/send", &[]);
        let told = answer.header("location").unwrap();
        assert!(told.ends_with("told=sent"), "{told}");
    }

    fn logged_in(&self, more: &[(&str, &str)]) -> bool {
        self.browser.follow(self.post("return", more)).contains("Lena")
    }
}

fn attribute(page: &str, mark: &str, name: &str) -> String {
    let (_, tail) = page.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {page}"));
    let (_, value) = tail.split_once(&format!("{name}=\"")).unwrap();
    let value = value.split('"').next().unwrap();
    value.replace("&#38;", "&").replace("&amp;", "&")
}

#[test]
fn a_login_comes_by_a_code_then_by_a_button_and_the_phone_lists_and_answers_it() {
    let world = World::start();
    let device = world.bound("lena", "phone.json");
    assert_eq!(world.waiting(&device), json!([]));
    let browser = world.browser();
    let page = browser.begin();
    let link = page.link();
    // Nothing is approved for another device without its number.
    let refused = world.phone(&["open", &link, "--device", &device]).unwrap_err();
    assert!(refused.contains("--number: expected the two digits"), "{refused}");
    let said = world.phone(&["open", &link, "--device", &device, "--number", &page.number()]);
    assert!(said.unwrap().starts_with("approved"));
    assert!(page.logged_in(&[("keep_phone", "yes")]));

    // The next login of this browser comes by itself.
    let page = browser.begin();
    page.send();
    let waiting = world.waiting(&device);
    assert!(waiting[1].is_null(), "{waiting}");
    let request = waiting[0]["request"].as_str().unwrap();
    assert!(waiting[0]["service"].is_string() && waiting[0].get("login").is_none());
    let answer = |more: &[&str]| {
        let output = healthid(
            &[
                &["phone", "requests", "--at", world.running.at(), "--device", &device][..],
                more,
            ]
            .concat(),
        );
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
    };
    let (_, told) = answer(&["--answer", request]);
    assert!(told.contains("--number: expected the two digits"), "{told}");
    let (_, told) = answer(&["--answer", "00000000", "--decline"]);
    assert!(told.contains("expected one of the 1 that wait"), "{told}");
    let (_, told) = answer(&["--decline"]);
    assert!(told.contains("--answer: expected which request"), "{told}");
    let (said, told) = answer(&["--answer", request, "--number", &page.number()]);
    assert!(said.starts_with("approved"), "{said}{told}");
    assert!(told.contains("Firefox on Linux"), "{told}");
    assert_eq!(world.waiting(&device), json!([]));
    assert!(page.logged_in(&[]));

    // Declined is over for the browser, and it pauses.
    let page = browser.begin();
    page.send();
    let waiting = world.waiting(&device);
    let (said, told) = answer(&["--answer", waiting[0]["request"].as_str().unwrap(), "--decline"]);
    assert!(said.starts_with("declined"), "{said}{told}");
    assert!(!page.logged_in(&[]));
    assert_eq!(world.waiting(&device), json!([]));
}

#[test]
fn a_new_phone_is_bound_with_the_old_one_and_a_wrong_number_ends_the_move_on_both() {
    let world = World::start();
    let (old, new) = (world.bound("lena", "old.json"), world.path("new.json"));
    let begin = |link: &str| Half::begin(&world, &["in", link, "--out", &new, "--name", "Neues Handy"]);

    let mut out = Half::begin(&world, &["out", "--device", &old]);
    let mut into = begin(&out.line());
    let number: u8 = into.line().parse().unwrap();
    out.types(&format!("{:02}", (number + 1) % 100));
    for half in [out, into] {
        let told = half.end().unwrap_err();
        assert!(
            told.contains("Begin the login anew") || told.contains("move out"),
            "{told}"
        );
    }
    assert!(!std::path::Path::new(&new).exists());

    let mut out = Half::begin(&world, &["out", "--device", &old]);
    let link = out.line();
    let mut into = begin(&link);
    let number = into.line();
    // What is no number is asked for again.
    out.types("4");
    out.types(&number);
    assert!(out.end().unwrap().starts_with("Neues Handy is bound"));
    assert!(into.end().unwrap().starts_with("Neues Handy is bound until"));
    for device in [&old, &new] {
        let words = [
            "login",
            "--at",
            world.running.at(),
            "--device",
            device,
            "--acr",
            "substantial",
        ];
        let login = healthid(&words);
        assert!(login.status.success(), "{}", stderr(&login));
    }
    // The offer is used up, and a phone that was bound with another one vouches for no third.
    let told = begin(&link).end().unwrap_err();
    assert!(told.contains("Let the old phone make a new offer"), "{told}");
    let told = Half::begin(&world, &["out", "--device", &new]).end().unwrap_err();
    assert!(told.contains("Take the card"), "{told}");
    // She says no: nothing is bound.
    let mut out = Half::begin(&world, &["out", "--device", &old]);
    let mut into = begin(&out.line());
    into.line();
    out.types("no");
    assert_eq!(out.end().as_deref(), Ok("ended: nothing is bound\n"));
    assert!(into.end().unwrap_err().contains("Let the old phone make a new offer"));
}
