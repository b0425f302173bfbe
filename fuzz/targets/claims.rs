//! The `claims` parameter, prompts and dates of birth.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oidc::birthdate::Birthdate;
use oidc::claims_request::ClaimsRequest;
use oidc::prompt::Prompts;
use oidc::scope::ScopeSet;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = ClaimsRequest::parse(text);
    let _ = Prompts::parse(text);
    let _ = ScopeSet::known_in(text);
    if let Some(date) = Birthdate::parse(text) {
        assert_eq!(
            Birthdate::parse(&date.claim()).map(Birthdate::claim),
            Some(date.claim())
        );
        let _ = date.age_at(healthid_fuzz::NOW);
    }
});
