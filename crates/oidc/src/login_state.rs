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
    /// After this second the request URI is refused.
    pub expires_at: UnixTime,
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

    /// As carried in the request URI.
    pub fn to_pushed_bytes(&self) -> Vec<u8> {
        self.write(Writer::new(KIND_PUSHED)).finish()
    }

    /// Reads what [`Self::to_pushed_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_pushed_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_PUSHED, bytes)?;
        let request = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(request)
    }

    fn write(&self, writer: Writer) -> Writer {
        let flags = u8::from(self.acr == Acr::High)
            | u8::from(self.version == IdTokenVersion::V2) << 1
            | u8::from(self.essential_acr.is_some()) << 2
            | u8::from(self.essential_acr == Some(Acr::High)) << 3
            | u8::from(self.max_age.is_some()) << 4;
        let writer = writer
            .bytes(&self.login_id.0)
            .bytes(&self.client.0)
            .bytes(&self.redirect.0)
            .bytes(&self.code_challenge)
            .text(&self.nonce)
            .text(&self.state)
            .u16(self.essential.bits())
            .u16(self.voluntary.bits())
            .byte(flags)
            .byte(self.essential_amr.bits())
            .byte(self.prompts.bits())
            .time(self.expires_at);
        match self.max_age {
            Some(seconds) => writer.u32(seconds),
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
        let essential = ClaimSet::from_bits(reader.u16()?).ok_or(MalformedState)?;
        let voluntary = ClaimSet::from_bits(reader.u16()?).ok_or(MalformedState)?;
        let flags = reader.byte()?;
        let essential_amr = AmrSet::from_bits(reader.byte()?).ok_or(MalformedState)?;
        let prompts = Prompts::from_bits(reader.byte()?).ok_or(MalformedState)?;
        let expires_at = reader.time()?;
        let max_age = if flags & 16 != 0 { Some(reader.u32()?) } else { None };
        Ok(Self {
            login_id,
            client,
            redirect,
            code_challenge,
            nonce,
            state,
            essential,
            voluntary,
            acr: level(flags & 1 != 0),
            essential_acr: (flags & 4 != 0).then(|| level(flags & 8 != 0)),
            essential_amr,
            prompts,
            max_age,
            version: version(flags & 2 != 0),
            expires_at,
        })
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

fn write_performed(writer: Writer, performed: &Performed) -> Writer {
    let flags = u8::from(performed.level == Acr::High)
        | u8::from(performed.consented_to_substantial) << 1
        | u8::from(performed.session == Session::SingleSignOn) << 2;
    writer
        .byte(method_byte(performed.method))
        .byte(flags)
        .time(performed.auth_time)
}

fn read_performed(reader: &mut Reader<'_>) -> Result<Performed, MalformedState> {
    let method = method(reader.byte()?)?;
    let flags = reader.byte()?;
    Ok(Performed {
        method,
        level: level(flags & 1 != 0),
        consented_to_substantial: flags & 2 != 0,
        session: if flags & 4 != 0 {
            Session::SingleSignOn
        } else {
            Session::Fresh
        },
        auth_time: reader.time()?,
    })
}

fn write_browser(writer: Writer, browser: Option<BrowserTag>) -> Writer {
    match browser {
        Some(BrowserTag(tag)) => writer.byte(1).bytes(&tag),
        None => writer.byte(0),
    }
}

fn read_browser(reader: &mut Reader<'_>) -> Result<Option<BrowserTag>, MalformedState> {
    match reader.byte()? {
        0 => Ok(None),
        1 => Ok(Some(BrowserTag(reader.array()?))),
        _ => Err(MalformedState),
    }
}

fn write_device(writer: Writer, device: Option<DeviceUse>) -> Writer {
    match device {
        Some(device) => writer
            .byte(1)
            .bytes(&device.device_id)
            .bytes(&device.counter.to_be_bytes()),
        None => writer.byte(0),
    }
}

fn read_device(reader: &mut Reader<'_>) -> Result<Option<DeviceUse>, MalformedState> {
    match reader.byte()? {
        0 => Ok(None),
        1 => Ok(Some(DeviceUse {
            device_id: reader.array()?,
            counter: u64::from_be_bytes(reader.array()?),
        })),
        _ => Err(MalformedState),
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
    /// After this second the login is refused.
    pub expires_at: UnixTime,
}

impl PendingLogin {
    /// As carried between pages and apps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let writer = write_browser(self.request.write(Writer::new(KIND_PENDING)), self.browser).time(self.expires_at);
        match self.challenge_digest {
            Some(digest) => writer.byte(1).bytes(&digest),
            None => writer.byte(0),
        }
        .finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_PENDING, bytes)?;
        let pending = Self {
            request: LoginRequest::read(&mut reader)?,
            browser: read_browser(&mut reader)?,
            expires_at: reader.time()?,
            challenge_digest: match reader.byte()? {
                0 => None,
                1 => Some(reader.array()?),
                _ => return Err(MalformedState),
            },
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
    /// After this second the login is refused.
    pub expires_at: UnixTime,
}

impl AuthenticatedLogin {
    /// As carried between pages and apps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let writer = write_browser(self.request.write(Writer::new(KIND_AUTHENTICATED)), self.browser);
        write_device(write_performed(writer, &self.performed), self.device)
            .time(self.expires_at)
            .finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_AUTHENTICATED, bytes)?;
        let login = Self {
            request: LoginRequest::read(&mut reader)?,
            browser: read_browser(&mut reader)?,
            performed: read_performed(&mut reader)?,
            device: read_device(&mut reader)?,
            expires_at: reader.time()?,
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
        let flags = u8::from(self.version == IdTokenVersion::V2) | u8::from(self.remember == Remember::Yes) << 1;
        let writer = Writer::new(KIND_CODE)
            .bytes(&self.login_id.0)
            .bytes(&self.client.0)
            .bytes(&self.redirect.0)
            .bytes(&self.code_challenge)
            .text(&self.nonce)
            .u16(self.requested.bits())
            .u16(self.released.bits());
        write_device(write_performed(writer, &self.performed), self.device)
            .byte(flags)
            .time(self.expires_at)
            .finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_CODE, bytes)?;
        let login_id = LoginId(reader.array()?);
        let client = ClientTag(reader.array()?);
        let redirect = RedirectTag(reader.array()?);
        let code_challenge = reader.array()?;
        let nonce = reader.text()?;
        let requested = ClaimSet::from_bits(reader.u16()?).ok_or(MalformedState)?;
        let released = ClaimSet::from_bits(reader.u16()?).ok_or(MalformedState)?;
        let performed = read_performed(&mut reader)?;
        let device = read_device(&mut reader)?;
        let flags = reader.byte()?;
        let expires_at = reader.time()?;
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
            version: version(flags & 1 != 0),
            remember: if flags & 2 != 0 { Remember::Yes } else { Remember::No },
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
        let writer = write_performed(Writer::new(KIND_SESSION), &self.performed);
        write_device(writer, self.device).time(self.expires_at).finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedState> {
        let mut reader = Reader::new(KIND_SESSION, bytes)?;
        let session = Self {
            performed: read_performed(&mut reader)?,
            device: read_device(&mut reader)?,
            expires_at: reader.time()?,
        };
        reader.finish()?;
        Ok(session)
    }
}

#[cfg(test)]
mod tests;
