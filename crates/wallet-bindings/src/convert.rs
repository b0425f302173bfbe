//! Between the types of the core and those that cross the border.

use jose::{UnixTime, base64url};
use wallet::flow::{self, FlowError, Method};
use wallet::run::{self, RunError, StepError};

use crate::{AbortWhy, Attestation, Consent, DeviceRecord, Finding, OtherDevice, Request, Told, WalletError, Want};
use crate::{Unlock, WaitingRequest};

impl From<flow::Want> for Want {
    fn from(want: flow::Want) -> Self {
        match want {
            flow::Want::Send(request) => Self::Send {
                method: method_name(request.method),
                url: request.url,
                body: request.body.map(|body| body.to_string()),
            },
            flow::Want::Choose(request) => Self::Choose {
                request: request.into(),
            },
            flow::Want::SignWithCard { challenge } => Self::SignWithCard { challenge },
            flow::Want::SignWithDevice {
                device,
                counter,
                message,
            } => Self::SignWithDevice {
                device,
                counter,
                message,
            },
            flow::Want::SignWithPasskey { challenge } => Self::SignWithPasskey { challenge },
            flow::Want::MakePasskey { options } => Self::MakePasskey {
                options: options.to_string(),
            },
            flow::Want::MakeKey { challenge } => Self::MakeKey { challenge },
            flow::Want::SignWithNewKey { message } => Self::SignWithNewKey { message },
            flow::Want::Decide(consent) => Self::Decide {
                consent: consent.into(),
            },
            flow::Want::GoBack { address } => Self::GoBack { address },
            flow::Want::Done => Self::Done,
            flow::Want::Keep(bound) => Self::Keep {
                record: bound.record.into(),
                class: bound.class,
                findings: bound.findings.into_iter().map(Into::into).collect(),
            },
        }
    }
}

impl From<Told> for flow::Told {
    fn from(told: Told) -> Self {
        match told {
            Told::Answer { status, body } => Self::Answer { status, body },
            Told::WithCard => Self::WithCard,
            Told::WithDevice { record } => Self::WithDevice(record.into()),
            Told::WithPasskey => Self::WithPasskey,
            Told::CardAnswered { response } => Self::CardAnswered { response },
            Told::PasskeyAnswered {
                credential_id,
                client_data,
                authenticator_data,
                signature,
                user_handle,
            } => Self::PasskeyAnswered(flow::PasskeyAnswer {
                credential_id,
                client_data,
                authenticator_data,
                signature,
                user_handle,
            }),
            Told::PasskeyMade {
                credential_id,
                client_data,
                attestation_object,
            } => Self::PasskeyMade(flow::MadePasskey {
                credential_id,
                client_data,
                attestation_object,
            }),
            Told::Signed { signature } => Self::Signed { signature },
            Told::KeyMade { x, y, attestation } => Self::KeyMade {
                x,
                y,
                attestation: attestation.map(Into::into),
            },
            Told::Approve {
                voluntary,
                remember,
                number,
            } => Self::Approve {
                voluntary,
                remember,
                number,
            },
            Told::MoreTime => Self::MoreTime,
            Told::Decline => Self::Decline,
            Told::Abort { why } => Self::Abort { why: why.into() },
        }
    }
}

pub(crate) fn method_name(method: Method) -> String {
    match method {
        Method::Get => "GET".to_owned(),
        Method::Post => "POST".to_owned(),
    }
}

impl From<AbortWhy> for flow::AbortWhy {
    fn from(why: AbortWhy) -> Self {
        match why {
            AbortWhy::NotMe => Self::NotMe,
            AbortWhy::PhoneCall => Self::PhoneCall,
        }
    }
}

impl From<Attestation> for flow::Attestation {
    fn from(attestation: Attestation) -> Self {
        match attestation {
            Attestation::AndroidKey { chain } => Self::AndroidKey {
                chain: chain.iter().map(|certificate| base64url::encode(certificate)).collect(),
            },
            Attestation::AppleAppAttest { object } => Self::AppleAppAttest {
                object: base64url::encode(&object),
            },
        }
    }
}

impl From<flow::Finding> for Finding {
    fn from(finding: flow::Finding) -> Self {
        let flow::Finding { check, outcome, class } = finding;
        Self { check, outcome, class }
    }
}

impl From<flow::Request> for Request {
    fn from(request: flow::Request) -> Self {
        Self {
            client_id: request.client_id,
            service: request.service.name,
            logo_uri: request.service.logo_uri,
            acr: request.requested.acr,
            essential: request.requested.claims.essential,
            voluntary: request.requested.claims.voluntary,
            expires_at: request.expires_at,
            ends_at: request.ends_at,
            extendable: request.extendable,
            other_device: request.other_device.map(Into::into),
        }
    }
}

impl From<flow::OtherDevice> for OtherDevice {
    fn from(device: flow::OtherDevice) -> Self {
        Self {
            browser: device.browser,
            system: device.system,
            in_same_network: device.network.map(|network| network == flow::NetworkOf::Same),
            asked_at: device.asked_at,
        }
    }
}

impl From<flow::Consent> for Consent {
    fn from(consent: flow::Consent) -> Self {
        Self {
            service: consent.service.name,
            logo_uri: consent.service.logo_uri,
            essential: consent.claims.essential,
            voluntary: consent.claims.voluntary,
            remembered: consent.remembered,
            other_device: consent.other_device.map(Into::into),
            ends_at: consent.ends_at,
            extendable: consent.extendable,
        }
    }
}

impl From<flow::DeviceRecord> for DeviceRecord {
    fn from(record: flow::DeviceRecord) -> Self {
        Self {
            issuer: record.issuer,
            device: record.device,
            name: record.name,
            valid_until: record.valid_until.0,
            counter: record.counter,
        }
    }
}

impl From<DeviceRecord> for flow::DeviceRecord {
    fn from(record: DeviceRecord) -> Self {
        Self {
            issuer: record.issuer,
            device: record.device,
            name: record.name,
            valid_until: UnixTime(record.valid_until),
            counter: record.counter,
        }
    }
}

impl From<Unlock> for run::Unlock {
    fn from(unlock: Unlock) -> Self {
        match unlock {
            Unlock::IfNeeded => Self::IfNeeded,
            Unlock::Never => Self::Never,
        }
    }
}

impl From<flow::WaitingRequest> for WaitingRequest {
    fn from(request: flow::WaitingRequest) -> Self {
        let (service, logo_uri) = match request.service {
            Some(service) => (Some(service.name), service.logo_uri),
            None => (None, None),
        };
        Self {
            client_id: request.client_id,
            login: request.login,
            asked_at: request.asked_at,
            service,
            logo_uri,
        }
    }
}

impl From<FlowError> for WalletError {
    fn from(error: FlowError) -> Self {
        let detail = error.to_string();
        let reason = error.reason().map(|reason| reason.as_str().to_owned());
        let support_code = error.support_code().map(str::to_owned);
        let status = match error {
            FlowError::Refused { status, .. } => Some(status),
            _ => None,
        };
        if error.ends() {
            Self::Over {
                reason,
                support_code,
                detail,
                status,
            }
        } else {
            Self::Again {
                reason,
                support_code,
                detail,
                status,
            }
        }
    }
}

impl From<RunError> for WalletError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Unreachable(detail) => Self::Unreachable { detail },
            RunError::Flow(error) => error.into(),
            RunError::Step(StepError::Cancelled) => Self::Cancelled,
            RunError::Step(StepError::Failed(detail)) => Self::Failed { detail },
            RunError::NoDevice => Self::NoDevice,
            RunError::Locked => Self::Locked,
            RunError::Pin(error) => Self::Failed {
                detail: error.to_string(),
            },
            RunError::Over => Self::Over {
                reason: None,
                support_code: None,
                detail: RunError::Over.to_string(),
                status: None,
            },
        }
    }
}

impl WalletError {
    /// The same of a run that is over, whatever its last error was.
    pub(crate) fn over(self) -> Self {
        match self {
            Self::Again {
                reason,
                support_code,
                detail,
                status,
            } => Self::Over {
                reason,
                support_code,
                detail,
                status,
            },
            other => other,
        }
    }
}
