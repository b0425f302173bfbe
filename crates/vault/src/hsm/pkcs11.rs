//! PKCS#11: the library, its token, and sessions with it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::session::{Answer, Connector, KeyId, NONCE_BYTES, Request, Session, Trouble, WRAPPED_BYTES};
use super::{HsmError, Pin};
use crate::hierarchy::KEY_BYTES;
use crate::secret_memory::Secret;

/// Object identifier of P-256 (1.2.840.10045.3.1.7), DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Bits of the tag of a wrapped half.
const TAG_BITS: u64 = 128;
/// Keys a session remembers where to find.
const MAX_KNOWN_KEYS: usize = 256;

/// A PKCS#11 library that is loaded, and stays so. Sessions opened later find it here and map no more code: a process that may map none any
/// more (seccomp) loads it first. `Debug` prints the type only.
pub struct Library {
    _library: Pkcs11,
}

impl Library {
    /// Loads a library without initialising it.
    ///
    /// # Errors
    /// [`HsmError::Module`].
    pub fn load(path: &Path) -> Result<Self, HsmError> {
        let library = Pkcs11::new(path).map_err(|_| HsmError::Module)?;
        Ok(Self { _library: library })
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Library")
    }
}

/// A PKCS#11 library and the token in it that is meant.
pub(super) struct Module {
    path: PathBuf,
    token_label: String,
    loaded: Mutex<Option<Loaded>>,
}

/// The library, initialised. Sessions hold a second reference to what is shared: with the last of them gone the library can be
/// initialised anew.
struct Loaded {
    library: Pkcs11,
    shared: Arc<Shared>,
}

/// What the sessions of one initialisation know together.
#[derive(Default)]
struct Shared {
    /// Keys that were there. One that is not found any more though nobody destroyed it means that the token went away under
    /// us: some libraries go on as if it were there and empty.
    seen: Mutex<HashSet<Place>>,
    is_stale: AtomicBool,
}

impl Module {
    pub const fn new(path: PathBuf, token_label: String) -> Self {
        Self {
            path,
            token_label,
            loaded: Mutex::new(None),
        }
    }

    fn load(&self) -> Result<Loaded, HsmError> {
        let library = Pkcs11::new(&self.path).map_err(|_| HsmError::Module)?;
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match library.initialize(arguments) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(Loaded {
                library,
                shared: Arc::default(),
            }),
            Err(_) => Err(HsmError::Module),
        }
    }

    fn load_anew(&self, old: Loaded) -> Result<Loaded, HsmError> {
        let _ = old.library.finalize();
        self.load()
    }

    fn open(&self, loaded: &Loaded, pin: &Pin) -> Result<Pkcs11Session, HsmError> {
        let slots = loaded.library.get_slots_with_token().map_err(|_| HsmError::Gone)?;
        let slot = slots
            .into_iter()
            .find(|slot| {
                let token = loaded.library.get_token_info(*slot);
                token.is_ok_and(|token| token.token_initialized() && token.label() == self.token_label)
            })
            .ok_or(HsmError::Gone)?;
        let session = loaded.library.open_rw_session(slot).map_err(|_| HsmError::Gone)?;
        match session.login(UserType::User, Some(&AuthPin::from(pin.text()))) {
            // Sessions of one token share their login.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(Pkcs11Session {
                session,
                known: HashMap::new(),
                shared: Arc::clone(&loaded.shared),
            }),
            Err(Error::Pkcs11(error, _)) => Err(match error {
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => HsmError::PinWrong,
                RvError::PinLocked | RvError::PinExpired => HsmError::PinLocked,
                _ => HsmError::Gone,
            }),
            Err(_) => Err(HsmError::Gone),
        }
    }
}

impl Connector for Module {
    fn connect(&self, pin: &Pin) -> Result<Box<dyn Session>, HsmError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut library = match loaded.take() {
            Some(library) => library,
            None => self.load()?,
        };
        if library.shared.is_stale.load(Ordering::Relaxed) && nobody_uses(&library) {
            library = self.load_anew(library)?;
        }
        let mut opened = self.open(&library, pin);
        if matches!(opened, Err(HsmError::Gone)) && nobody_uses(&library) {
            // Many libraries find a token again only after they were initialised anew.
            library = self.load_anew(library)?;
            opened = self.open(&library, pin);
        }
        *loaded = Some(library);
        opened.map(|session| Box::new(session) as Box<dyn Session>)
    }
}

fn nobody_uses(loaded: &Loaded) -> bool {
    Arc::strong_count(&loaded.shared) == 1
}

struct Pkcs11Session {
    session: cryptoki::session::Session,
    known: HashMap<Place, ObjectHandle>,
    shared: Arc<Shared>,
}

/// Which object is meant.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Wrapping(String),
    Private(KeyId),
    Public(KeyId),
}

impl Place {
    fn template(&self) -> Vec<Attribute> {
        let (class, kind, name) = match self {
            Self::Wrapping(label) => (
                ObjectClass::SECRET_KEY,
                KeyType::AES,
                Attribute::Label(label.as_bytes().to_vec()),
            ),
            Self::Private(id) => (
                ObjectClass::PRIVATE_KEY,
                KeyType::EC,
                Attribute::Id(id.as_bytes().to_vec()),
            ),
            Self::Public(id) => (
                ObjectClass::PUBLIC_KEY,
                KeyType::EC,
                Attribute::Id(id.as_bytes().to_vec()),
            ),
        };
        vec![
            Attribute::Token(true),
            Attribute::Class(class),
            Attribute::KeyType(kind),
            name,
        ]
    }
}

impl Session for Pkcs11Session {
    fn perform(&mut self, request: &Request) -> Result<Answer, Trouble> {
        let answer = self.once(request);
        match answer {
            // The object was destroyed and made again since this session saw it.
            Err(Trouble::Refused(HsmError::KeyAbsent)) if !self.known.is_empty() => {
                self.known.clear();
                self.once(request)
            }
            answer => answer,
        }
    }
}

impl Pkcs11Session {
    fn once(&mut self, request: &Request) -> Result<Answer, Trouble> {
        match request {
            Request::Check => {
                self.session.get_session_info().map_err(trouble)?;
                Ok(Answer::Done)
            }
            Request::GenerateWrappingKey { label } => self.generate_wrapping_key(label),
            Request::Wrap {
                label,
                nonce,
                about,
                secret,
            } => self.wrap(label, nonce, about, &secret[..]),
            Request::Unwrap {
                label,
                nonce,
                about,
                sealed,
            } => self.unwrap(label, nonce, about, sealed),
            Request::GenerateSigningKey { id } => self.generate_signing_key(*id),
            Request::PublicKey { id } => self.public_key(*id),
            Request::Sign { id, hash } => self.sign(*id, hash),
            Request::DestroySigningKey { id } => self.destroy(*id),
        }
    }

    fn generate_wrapping_key(&mut self, label: &str) -> Result<Answer, Trouble> {
        self.expect_free(&Place::Wrapping(label.to_owned()))?;
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Modifiable(false),
            Attribute::ValueLen((KEY_BYTES as u64).into()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
            Attribute::Sign(false),
            Attribute::Verify(false),
            Attribute::Derive(false),
        ];
        self.session
            .generate_key(&Mechanism::AesKeyGen, &template)
            .map_err(trouble)?;
        Ok(Answer::Done)
    }

    fn wrap(&mut self, label: &str, nonce: &[u8; NONCE_BYTES], about: &[u8], secret: &[u8]) -> Result<Answer, Trouble> {
        let key = self.find(&Place::Wrapping(label.to_owned()))?;
        let mut nonce = *nonce;
        let parameters = GcmParams::new(&mut nonce, about, TAG_BITS.into()).map_err(trouble)?;
        let sealed = self
            .session
            .encrypt(&Mechanism::AesGcm(parameters), key, secret)
            .map_err(trouble)?;
        let sealed: [u8; WRAPPED_BYTES] = sealed.try_into().map_err(|_| HsmError::Failed)?;
        Ok(Answer::Wrapped(sealed))
    }

    fn unwrap(
        &mut self,
        label: &str,
        nonce: &[u8; NONCE_BYTES],
        about: &[u8],
        sealed: &[u8; WRAPPED_BYTES],
    ) -> Result<Answer, Trouble> {
        let key = self.find(&Place::Wrapping(label.to_owned()))?;
        let mut nonce = *nonce;
        let parameters = GcmParams::new(&mut nonce, about, TAG_BITS.into()).map_err(trouble)?;
        let opened = self.session.decrypt(&Mechanism::AesGcm(parameters), key, sealed);
        let half = Zeroizing::new(opened.map_err(|error| match trouble(error) {
            // Modules disagree on which code says that a tag is wrong; some say what they say when they are broken.
            Trouble::Lost if self.session.get_session_info().is_err() => Trouble::Lost,
            _ => Trouble::Refused(HsmError::NotUnwrapped),
        })?);
        let half: &[u8; KEY_BYTES] = half[..].try_into().map_err(|_| HsmError::NotUnwrapped)?;
        Ok(Answer::Secret(Secret::copy_of(half)))
    }

    fn generate_signing_key(&mut self, id: KeyId) -> Result<Answer, Trouble> {
        self.expect_free(&Place::Private(id))?;
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(P256.to_vec()),
            Attribute::Id(id.as_bytes().to_vec()),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Modifiable(false),
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
            Attribute::Id(id.as_bytes().to_vec()),
        ];
        self.session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .map_err(trouble)?;
        self.public_key(id)
    }

    fn public_key(&mut self, id: KeyId) -> Result<Answer, Trouble> {
        self.find(&Place::Private(id))?;
        let public = self.find(&Place::Public(id))?;
        let attributes = self
            .session
            .get_attributes(public, &[AttributeType::EcPoint, AttributeType::EcParams])
            .map_err(trouble)?;
        let mut point = None;
        for attribute in attributes {
            match attribute {
                Attribute::EcParams(parameters) if parameters != P256 => return Err(HsmError::KeyUnfit.into()),
                // An OCTET STRING (PKCS#11 §6.3.3); some modules give the bare point.
                Attribute::EcPoint(bytes) => {
                    let bare = bytes.strip_prefix(&[0x04, 0x41]).unwrap_or(&bytes);
                    point = bare.try_into().ok();
                }
                _ => {}
            }
        }
        point.map(Answer::PublicKey).ok_or(HsmError::KeyUnfit.into())
    }

    fn sign(&mut self, id: KeyId, hash: &[u8; 32]) -> Result<Answer, Trouble> {
        let key = self.find(&Place::Private(id))?;
        let signature = self.session.sign(&Mechanism::Ecdsa, key, hash).map_err(trouble)?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| HsmError::Failed)?;
        Ok(Answer::Signature(signature))
    }

    fn destroy(&mut self, id: KeyId) -> Result<Answer, Trouble> {
        let private = self.find(&Place::Private(id))?;
        let public = self.find(&Place::Public(id));
        self.known.clear();
        for place in [Place::Private(id), Place::Public(id)] {
            self.seen().remove(&place);
        }
        self.session.destroy_object(private).map_err(trouble)?;
        if let Ok(public) = public {
            self.session.destroy_object(public).map_err(trouble)?;
        }
        Ok(Answer::Done)
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<Place>> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect_free(&self, place: &Place) -> Result<(), Trouble> {
        let found = self.session.find_objects(&place.template()).map_err(trouble)?;
        if found.is_empty() {
            Ok(())
        } else {
            Err(HsmError::KeyExists.into())
        }
    }

    /// Finds the one object that is meant, and looks once whether it is a key that never leaves the module.
    fn find(&mut self, place: &Place) -> Result<ObjectHandle, Trouble> {
        if let Some(known) = self.known.get(place) {
            return Ok(*known);
        }
        let found = self.session.find_objects(&place.template()).map_err(trouble)?;
        let object = match found[..] {
            [] if self.seen().contains(place) => {
                self.shared.is_stale.store(true, Ordering::Relaxed);
                return Err(Trouble::Lost);
            }
            [] => return Err(HsmError::KeyAbsent.into()),
            [object] => object,
            // Which of them would be used is the module's whim.
            _ => return Err(HsmError::KeyUnfit.into()),
        };
        if !matches!(place, Place::Public(_)) {
            self.check_never_leaves(object)?;
        }
        if self.known.len() >= MAX_KNOWN_KEYS {
            self.known.clear();
        }
        self.seen().insert(place.clone());
        self.known.insert(place.clone(), object);
        Ok(object)
    }

    /// PKCS#11 §4.9: made inside (`CKA_LOCAL`), and neither readable nor extractable at any time.
    fn check_never_leaves(&self, object: ObjectHandle) -> Result<(), Trouble> {
        let asked = [
            AttributeType::Sensitive,
            AttributeType::AlwaysSensitive,
            AttributeType::Extractable,
            AttributeType::NeverExtractable,
            AttributeType::Local,
        ];
        let attributes = self.session.get_attributes(object, &asked).map_err(trouble)?;
        let as_demanded = attributes.iter().filter(|attribute| {
            matches!(
                attribute,
                Attribute::Sensitive(true)
                    | Attribute::AlwaysSensitive(true)
                    | Attribute::Extractable(false)
                    | Attribute::NeverExtractable(true)
                    | Attribute::Local(true)
            )
        });
        if as_demanded.count() == asked.len() {
            Ok(())
        } else {
            Err(HsmError::KeyUnfit.into())
        }
    }
}

/// What an error of the library means for the session.
fn trouble(error: Error) -> Trouble {
    let Error::Pkcs11(error, _) = error else {
        return Trouble::Refused(HsmError::Failed);
    };
    match error {
        RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid => Trouble::Refused(HsmError::KeyAbsent),
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::DeviceError
        | RvError::DeviceRemoved
        | RvError::DeviceMemory
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::UserNotLoggedIn
        | RvError::CryptokiNotInitialized
        | RvError::SlotIdInvalid
        | RvError::GeneralError
        | RvError::HostMemory => Trouble::Lost,
        _ => Trouble::Refused(HsmError::Failed),
    }
}
