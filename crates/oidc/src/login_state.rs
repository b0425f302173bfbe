//! What a login remembers between two requests. Nothing of it is stored: it is sealed and carried by the parties, so that any
//! instance of any site can go on with it (`docs/adr/0002-sealed-login-state.md`).
//!
//! Trusted for: whoever opens a sealed state gets back exactly what an earlier step decided, or nothing. What holds across steps (one
//! token per login) hangs on [`LoginId`], claimed once in the store at redemption.
//!
//! Who the person is stands in none of these: from authentication on, the vault seals her into the state beside this content, and hands
//! out the right to her record only to whoever opens it.

use authenticator::{
    Acr, IdTokenVersion, Method,
    policy::{Demand, LevelRequest, Performed, Session},
};
use jose::UnixTime;

use crate::{
    asking_device::AskingDevice,
    claims_request::AmrSet,
    client::{ClientTag, RedirectTag},
    codec::{MalformedState, Reader, Writer},
    prompt::Prompts,
    scope::ClaimSet,
};

/// Names one login from the pushed request to the token; random. Single use is enforced on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoginId(pub [u8; 16]);

/// Binds a login to the browser that began it: a hash over the cookie it was given (A_22325-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrowserTag(pub [u8; 8]);

/// Which bound device logged in, and how far its counter had come. At redemption the device must still be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceUse {
    /// Handle of the device.
    pub device_id: [u8; 16],
    /// Counter of the assertion; stored with the redemption.
    pub counter: u64,
}

const KIND_PUSHED: u8 = 1;
const KIND_PENDING: u8 = 2;
const KIND_AUTHENTICATED: u8 = 3;
const KIND_CODE: u8 = 4;
const KIND_SESSION: u8 = 5;

/// Seconds a person has to authenticate once the authorization endpoint was called.
pub const PENDING_LIFETIME_SECONDS: u64 = 900;
/// Seconds a person has to decide once she is authenticated.
pub const AUTHENTICATED_LIFETIME_SECONDS: u64 = 600;
/// How often a person gets that time again, in each of the two steps (WCAG 2.2.1: at least ten times).
pub const MAX_EXTENSIONS: u8 = 10;

/// What the relying party asked for, decided at the pushed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// The login.
    pub login_id: LoginId,
    /// Who asks.
    pub client: ClientTag,
    /// Where the answer goes.
    pub redirect: RedirectTag,
    /// SHA-256 of the code verifier.
    pub code_challenge: [u8; 32],
    /// Goes into the ID token.
    pub nonce: String,
    /// Goes back with the code (A_22324).
    pub state: String,
    /// Claims the person can only accept together.
    pub essential: ClaimSet,
    /// Claims the person may leave out one by one; without the essential ones.
    pub voluntary: ClaimSet,
    /// `acr_values`.
    pub acr: Acr,
    /// The least level, where it is essential.
    pub essential_acr: Option<Acr>,
    /// The methods, where they are essential.
    pub essential_amr: AmrSet,
    /// `prompt`.
    pub prompts: Prompts,
    /// `max_age` in seconds.
    pub max_age: Option<u32>,
    /// Negotiated ID-token version.
    pub version: IdTokenVersion,
}

impl LoginRequest {
    /// The wishes on level and method, for the authentication policy.
    pub fn level_request(&self, client_id: &str) -> LevelRequest {
        LevelRequest {
            client_id: client_id.to_owned(),
            acr_values: vec![self.essential_acr.unwrap_or(self.acr)],
            acr_demand: if self.essential_acr.is_some() {
                Demand::Essential
            } else {
                Demand::Voluntary
            },
            amr_values: self.essential_amr.iter().collect(),
            amr_demand: if self.essential_amr.is_empty() {
                Demand::Voluntary
            } else {
                Demand::Essential
            },
            prompt_login: self.prompts.login(),
            max_age_seconds: self.max_age.map(u64::from),
            version: self.version,
        }
    }

    /// Everything asked for.
    pub const fn requested(&self) -> ClaimSet {
        self.essential.union(self.voluntary)
    }

    /// Its bytes, as every state of the login carries them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.write(Writer::default()).finish()
    }

    fn write(&self, writer: Writer) -> Writer {
        let wishes = u16::from(self.acr == Acr::High)
            | u16::from(self.version == IdTokenVersion::V2) << 1
            | u16::from(self.essential_acr.is_some()) << 2
            | u16::from(self.essential_acr == Some(Acr::High)) << 3
            | u16::from(self.max_age.is_some()) << 4
            | u16::from(self.essential_amr.bits()) << 8;
        let writer = writer
            .bytes(&self.login_id.0)
            .bytes(&self.client.0)
            .bytes(&self.redirect.0)
            .bytes(&self.code_challenge)
            .text(&self.nonce)
            .text(&self.state)
            .claims(self.essential, self.voluntary, self.prompts.bits())
            .u16(wishes);
        match self.max_age {
            Some(seconds) => writer.number(seconds.into()),
            None => writer,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, MalformedState> {
        let login_id = LoginId(reader.array()?);
        let client = ClientTag(reader.array()?);
        let redirect = RedirectTag(reader.array()?);
        let code_challenge = reader.array()?;
        let nonce = reader.text()?;
        let state = reader.text()?;
        let (essential, voluntary, prompts) = reader.claims()?;
        let prompts = Prompts::from_bits(prompts).ok_or(MalformedState)?;
        let [amr, wishes] = reader.array()?;
        if wishes >> 5 != 0 {
            return Err(MalformedState);
        }
        let max_age = match wishes & 16 {
            0 => None,
            _ => Some(u32::try_from(reader.number()?).map_err(|_| MalformedState)?),
        };
        Ok(Self {
            login_id,
            client,
            redirect,
            code_challenge,
            nonce,
            state,
            essential,
            voluntary,
            acr: level(wishes & 1 != 0),
            essential_acr: (wishes & 4 != 0).then(|| level(wishes & 8 != 0)),
            essential_amr: AmrSet::from_bits(amr).ok_or(MalformedState)?,
            prompts,
            max_age,
            version: version(wishes & 2 != 0),
        })
    }
}

/// A pushed request, as carried in the request URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedLogin {
    /// What was asked for.
    pub request: LoginRequest,
    /// After this second the request URI is refused.
    pub expires_at: UnixTime,
}

impl PushedLogin {
    /// As carried in the request URI.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.request
            .write(Writer::new(KIND_PUSHED).time(self.expires_at))
            .finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_PUSHED, bytes)?;
        let expires_at = reader.time()?;
        let request = LoginRequest::read(&mut reader)?;
        reader.finish()?;
        Ok(Self { request, expires_at })
    }
}

const fn level(high: bool) -> Acr {
    if high { Acr::High } else { Acr::Substantial }
}

const fn version(two: bool) -> IdTokenVersion {
    if two { IdTokenVersion::V2 } else { IdTokenVersion::V1 }
}

const fn method_byte(method: Method) -> u8 {
    match method {
        Method::HealthCard => 0,
        Method::GuestHealthCard => 1,
        Method::IdentityCard => 2,
        Method::DeviceKey => 3,
    }
}

fn method(byte: u8) -> Result<Method, MalformedState> {
    [
        Method::HealthCard,
        Method::GuestHealthCard,
        Method::IdentityCard,
        Method::DeviceKey,
    ]
    .into_iter()
    .find(|method| method_byte(*method) == byte)
    .ok_or(MalformedState)
}

/// What follows in a state besides its fixed fields, and how the person proved who she is: one byte.
#[derive(Clone, Copy)]
struct Shape(u8);

impl Shape {
    const BROWSER: u8 = 1 << 5;
    const DEVICE: u8 = 1 << 6;
    /// A challenge in a pending login, the device that asked in an authenticated one, a remembered consent in a code.
    const MORE: u8 = 1 << 7;
    /// The device that asked, in a pending login.
    const ASKING: u8 = 1;

    fn of_performed(performed: &Performed) -> Self {
        Self(
            method_byte(performed.method)
                | u8::from(performed.level == Acr::High) << 2
                | u8::from(performed.consented_to_substantial) << 3
                | u8::from(performed.session == Session::SingleSignOn) << 4,
        )
    }

    const fn with(self, bit: u8, set: bool) -> Self {
        Self(if set { self.0 | bit } else { self.0 })
    }

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn performed(self, auth_time: UnixTime) -> Result<Performed, MalformedState> {
        Ok(Performed {
            method: method(self.0 & 3)?,
            level: level(self.has(1 << 2)),
            consented_to_substantial: self.has(1 << 3),
            session: if self.has(1 << 4) {
                Session::SingleSignOn
            } else {
                Session::Fresh
            },
            auth_time,
        })
    }

    /// The bits of a state of this kind; others mean another version.
    const fn within(self, known: u8) -> Result<Self, MalformedState> {
        if self.0 & !known == 0 {
            Ok(self)
        } else {
            Err(MalformedState)
        }
    }
}

const PERFORMED_BITS: u8 = 0b1_1111;

fn write_browser(writer: Writer, browser: Option<BrowserTag>) -> Writer {
    match browser {
        Some(BrowserTag(tag)) => writer.bytes(&tag),
        None => writer,
    }
}

fn read_browser(reader: &mut Reader<'_>, shape: Shape) -> Result<Option<BrowserTag>, MalformedState> {
    match shape.has(Shape::BROWSER) {
        true => Ok(Some(BrowserTag(reader.array()?))),
        false => Ok(None),
    }
}

fn write_asking(writer: Writer, asking: Option<AskingDevice>, near: UnixTime) -> Writer {
    match asking {
        Some(asking) => asking.write(writer, near),
        None => writer,
    }
}

fn read_asking(
    reader: &mut Reader<'_>,
    shape: Shape,
    bit: u8,
    near: UnixTime,
) -> Result<Option<AskingDevice>, MalformedState> {
    match shape.has(bit) {
        true => Ok(Some(AskingDevice::read(reader, near)?)),
        false => Ok(None),
    }
}

/// How often a step was extended: nothing at all for never, so that an ordinary login is no longer for it.
fn write_extended(writer: Writer, extended: u8) -> Writer {
    if extended == 0 { writer } else { writer.byte(extended) }
}

fn read_extended(reader: &mut Reader<'_>) -> Result<u8, MalformedState> {
    if reader.is_empty() {
        return Ok(0);
    }
    let extended = reader.byte()?;
    if (1..=MAX_EXTENSIONS).contains(&extended) {
        Ok(extended)
    } else {
        Err(MalformedState)
    }
}

fn write_device(writer: Writer, device: Option<DeviceUse>) -> Writer {
    match device {
        Some(device) => writer.bytes(&device.device_id).number(device.counter),
        None => writer,
    }
}

fn read_device(reader: &mut Reader<'_>, shape: Shape) -> Result<Option<DeviceUse>, MalformedState> {
    match shape.has(Shape::DEVICE) {
        true => Ok(Some(DeviceUse {
            device_id: reader.array()?,
            counter: reader.number()?,
        })),
        false => Ok(None),
    }
}

/// A login whose person has not authenticated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLogin {
    /// What was asked for.
    pub request: LoginRequest,
    /// The browser it belongs to; `None` for an authenticator app, which receives the answer itself.
    pub browser: Option<BrowserTag>,
    /// SHA-256 of the challenge issued for it; `None` before one was. An answer must be to this challenge.
    pub challenge_digest: Option<[u8; 32]>,
    /// The device it was begun on, where it is answered on another one.
    pub asking: Option<AskingDevice>,
    /// How often she was given more time.
    pub extended: u8,
    /// After this second the login is refused.
    pub expires_at: UnixTime,
}

impl PendingLogin {
    /// As carried between pages and apps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let shape = Shape(0)
            .with(Shape::BROWSER, self.browser.is_some())
            .with(Shape::MORE, self.challenge_digest.is_some())
            .with(Shape::ASKING, self.asking.is_some());
        let writer = Writer::new(KIND_PENDING).byte(shape.0).time(self.expires_at);
        let writer = write_browser(self.request.write(writer), self.browser);
        let writer = write_asking(writer, self.asking, self.expires_at);
        let writer = match self.challenge_digest {
            Some(digest) => writer.bytes(&digest),
            None => writer,
        };
        write_extended(writer, self.extended).finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_PENDING, bytes)?;
        let shape = Shape(reader.byte()?).within(Shape::BROWSER | Shape::MORE | Shape::ASKING)?;
        let expires_at = reader.time()?;
        let pending = Self {
            request: LoginRequest::read(&mut reader)?,
            browser: read_browser(&mut reader, shape)?,
            asking: read_asking(&mut reader, shape, Shape::ASKING, expires_at)?,
            challenge_digest: match shape.has(Shape::MORE) {
                true => Some(reader.array()?),
                false => None,
            },
            extended: read_extended(&mut reader)?,
            expires_at,
        };
        reader.finish()?;
        Ok(pending)
    }
}

/// A login whose person has authenticated and has not decided yet what to release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedLogin {
    /// What was asked for.
    pub request: LoginRequest,
    /// The browser it belongs to.
    pub browser: Option<BrowserTag>,
    /// How she proved it.
    pub performed: Performed,
    /// With which device, where it was one.
    pub device: Option<DeviceUse>,
    /// The device it was begun on, where it is answered on another one.
    pub asking: Option<AskingDevice>,
    /// How often she was given more time since she authenticated.
    pub extended: u8,
    /// After this second the login is refused.
    pub expires_at: UnixTime,
}

impl AuthenticatedLogin {
    /// As carried between pages and apps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let shape = Shape::of_performed(&self.performed)
            .with(Shape::BROWSER, self.browser.is_some())
            .with(Shape::DEVICE, self.device.is_some())
            .with(Shape::MORE, self.asking.is_some());
        let writer = Writer::new(KIND_AUTHENTICATED)
            .byte(shape.0)
            .time(self.expires_at)
            .time_near(self.expires_at, self.performed.auth_time);
        let writer = write_browser(self.request.write(writer), self.browser);
        let writer = write_asking(writer, self.asking, self.expires_at);
        write_extended(write_device(writer, self.device), self.extended).finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_AUTHENTICATED, bytes)?;
        let shape = Shape(reader.byte()?).within(PERFORMED_BITS | Shape::BROWSER | Shape::DEVICE | Shape::MORE)?;
        let expires_at = reader.time()?;
        let performed = shape.performed(reader.time_near(expires_at)?)?;
        let login = Self {
            request: LoginRequest::read(&mut reader)?,
            browser: read_browser(&mut reader, shape)?,
            performed,
            asking: read_asking(&mut reader, shape, Shape::MORE, expires_at)?,
            device: read_device(&mut reader, shape)?,
            extended: read_extended(&mut reader)?,
            expires_at,
        };
        reader.finish()?;
        Ok(login)
    }
}

/// Whether the person wants her decision remembered for this service and these claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remember {
    /// Ask again next time.
    No,
    /// Do not ask again for the same claims.
    Yes,
}

/// An authorization code: everything the token endpoint needs, so that it reads one row and writes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The login; claimed once at redemption (A_23162).
    pub login_id: LoginId,
    /// Who may redeem it.
    pub client: ClientTag,
    /// Must be repeated.
    pub redirect: RedirectTag,
    /// SHA-256 of the code verifier (A_22321).
    pub code_challenge: [u8; 32],
    /// Goes into the ID token.
    pub nonce: String,
    /// What was asked for; remembered with the consent.
    pub requested: ClaimSet,
    /// What the person released.
    pub released: ClaimSet,
    /// How she proved who she is.
    pub performed: Performed,
    /// With which device, where it was one.
    pub device: Option<DeviceUse>,
    /// Negotiated ID-token version.
    pub version: IdTokenVersion,
    /// Whether to remember the consent, in the same commit.
    pub remember: Remember,
    /// After this second it is refused (A_23007).
    pub expires_at: UnixTime,
}

impl AuthorizationCode {
    /// As carried in `code`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let shape = Shape::of_performed(&self.performed)
            .with(Shape::DEVICE, self.device.is_some())
            .with(Shape::MORE, self.remember == Remember::Yes);
        let writer = Writer::new(KIND_CODE)
            .byte(shape.0)
            .time(self.expires_at)
            .time_near(self.expires_at, self.performed.auth_time)
            .bytes(&self.login_id.0)
            .bytes(&self.client.0)
            .bytes(&self.redirect.0)
            .bytes(&self.code_challenge)
            .text(&self.nonce)
            .claims(
                self.requested,
                self.released,
                u8::from(self.version == IdTokenVersion::V2),
            );
        write_device(writer, self.device).finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_CODE, bytes)?;
        let shape = Shape(reader.byte()?).within(PERFORMED_BITS | Shape::DEVICE | Shape::MORE)?;
        let expires_at = reader.time()?;
        let performed = shape.performed(reader.time_near(expires_at)?)?;
        let login_id = LoginId(reader.array()?);
        let client = ClientTag(reader.array()?);
        let redirect = RedirectTag(reader.array()?);
        let code_challenge = reader.array()?;
        let nonce = reader.text()?;
        let (requested, released, two) = reader.claims()?;
        if two > 1 {
            return Err(MalformedState);
        }
        let device = read_device(&mut reader, shape)?;
        reader.finish()?;
        Ok(Self {
            login_id,
            client,
            redirect,
            code_challenge,
            nonce,
            requested,
            released,
            performed,
            device,
            version: version(two == 1),
            remember: if shape.has(Shape::MORE) {
                Remember::Yes
            } else {
                Remember::No
            },
            expires_at,
        })
    }
}

/// A single sign-on session, carried in a cookie of the provider's own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// How and when she really proved it.
    pub performed: Performed,
    /// With which device, where it was one.
    pub device: Option<DeviceUse>,
    /// After this second it is refused.
    pub expires_at: UnixTime,
}

impl SessionState {
    /// As carried in the cookie.
    pub fn to_bytes(&self) -> Vec<u8> {
        let shape = Shape::of_performed(&self.performed).with(Shape::DEVICE, self.device.is_some());
        let writer = Writer::new(KIND_SESSION)
            .byte(shape.0)
            .time(self.expires_at)
            .time_near(self.expires_at, self.performed.auth_time);
        write_device(writer, self.device).finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_SESSION, bytes)?;
        let shape = Shape(reader.byte()?).within(PERFORMED_BITS | Shape::DEVICE)?;
        let expires_at = reader.time()?;
        let session = Self {
            performed: shape.performed(reader.time_near(expires_at)?)?,
            device: read_device(&mut reader, shape)?,
            expires_at,
        };
        reader.finish()?;
        Ok(session)
    }
}

#[cfg(test)]
mod tests;
