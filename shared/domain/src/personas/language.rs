//! Languages and regions: BCP 47 (RFC 5646), as far as it names what people write.

use oxilangtag::LanguageTag;

/// Longest tag taken.
const LONGEST: usize = 35;

/// ISO 639-1: the two-letter languages of IANA's registry of subtags that are in use.
const LANGUAGES: &str = "\
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv \
    cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho \
    hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku \
    kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn \
    no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm \
    sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi \
    vo wa wo xh yi yo za zh zu";

/// Two-letter codes that the registry has retired, with the ones to use instead.
const RETIRED: [(&str, &str); 6] = [
    ("in", "id"),
    ("iw", "he"),
    ("ji", "yi"),
    ("jw", "jv"),
    ("mo", "ro"),
    ("sh", "hbs"),
];

/// ISO 3166-1: the two-letter regions of the same registry that are in use.
const REGIONS: &str = "\
    AC AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN \
    BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CP CR CU CV CW CX CY CZ \
    DE DG DJ DK DM DO DZ EA EC EE EG EH ER ES ET EU EZ FI FJ FK FM FO FR GA GB GD GE GF GG \
    GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU IC ID IE IL IM IN IO IQ IR IS \
    IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC \
    MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO \
    NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD \
    SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM UN US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A language as BCP 47 writes it, in its canonical case: `en`, `pt-BR`, `zh-Hant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    tag: LanguageTag<String>,
}

/// Text that names no language or region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(&'static str);

impl Language {
    /// Reads a tag, whatever its case. Of two letters the language must be in ISO 639-1, of three
    /// it must look like ISO 639-3; extensions and private use say nothing about the language and
    /// are refused.
    ///
    /// # Errors
    /// [`Unknown`], with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Unknown> {
        const FORM: Unknown = Unknown("is not a language tag of BCP 47, such as en or pt-BR");
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(FORM);
        }
        let given = LanguageTag::parse(text).map_err(|_| FORM)?;
        let primary = given.primary_language().to_ascii_lowercase();
        let known = match primary.len() {
            2 => names(LANGUAGES, &primary),
            3 => !["mis", "mul", "und", "zxx"].contains(&primary.as_str()),
            _ => false,
        };
        let current = RETIRED.iter().find(|(retired, _)| *retired == primary);
        let current = current.map(|(_, current)| *current);
        if !known && current.is_none() {
            return Err(Unknown("names no language"));
        }
        if given.region().is_some_and(|region| !is_region(region)) {
            return Err(Unknown("names a region that does not exist"));
        }
        if given.extension().is_some() || given.private_use().is_some() {
            return Err(Unknown("must have no extensions and no private use"));
        }
        let rest = given.as_str().get(primary.len()..).unwrap_or_default();
        let renewed = format!("{}{rest}", current.unwrap_or(&primary));
        let tag = LanguageTag::parse_and_normalize(&renewed).map_err(|_| FORM)?;
        Ok(Self { tag })
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.tag.as_str()
    }

    /// The region that the tag itself names.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.tag.region()
    }

    /// The language and its script, without region and variants: who reads one reads the other.
    #[must_use]
    pub fn key(&self) -> String {
        match self.tag.script() {
            Some(script) => format!("{}-{script}", self.tag.full_language()),
            None => self.tag.full_language().to_owned(),
        }
    }
}

/// A region in its canonical case: two letters of ISO 3166-1 or three digits of UN M.49.
///
/// # Errors
/// [`Unknown`].
pub fn parse_region(text: &str) -> Result<String, Unknown> {
    let region = text.trim().to_ascii_uppercase();
    if is_region(&region) {
        Ok(region)
    } else {
        Err(Unknown(
            "is not a region: two letters of ISO 3166-1, such as FR, or three digits of UN M.49",
        ))
    }
}

fn is_region(text: &str) -> bool {
    match text.len() {
        2 => names(REGIONS, &text.to_ascii_uppercase()),
        3 => text.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

fn names(list: &str, name: &str) -> bool {
    list.split(' ').any(|listed| listed == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_tables_are_the_registrys() {
        let letters = || (b'a'..=b'z').map(char::from);
        let pairs = || letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
        let registered = |tag: &str| language_tags::LanguageTag::parse(tag).unwrap().is_valid();
        let retired: BTreeSet<_> = RETIRED.iter().map(|(retired, _)| *retired).collect();
        for pair in pairs() {
            // The reference takes these for what lies between qaa and qtz, kept for private use.
            let between = ("qaa"..="qtz").contains(&pair.as_str());
            // "bh" was withdrawn without another in its place.
            let gone = pair == "bh" || between || retired.contains(pair.as_str());
            let ours = names(LANGUAGES, &pair) || gone;
            assert_eq!(ours, registered(&pair), "{pair}");
        }
        let gone = "AA AN BU CS DD FX NT SU TP YD YU ZR ZZ";
        for pair in pairs().map(|pair| pair.to_ascii_uppercase()) {
            // What is kept for private use is valid to the registry.
            let private = matches!(pair.as_bytes(), [b'Q', b'M'..=b'Z'] | [b'X', b'A'..=b'Z']);
            let ours = names(REGIONS, &pair) || names(gone, &pair) || private;
            assert_eq!(ours, registered(&format!("en-{pair}")), "{pair}");
        }
    }

    #[test]
    fn what_names_a_language_is_made_canonical() {
        for (given, tag, key) in [
            ("EN", "en", "en"),
            ("pt-br", "pt-BR", "pt"),
            (" zh-hant-TW ", "zh-Hant-TW", "zh-Hant"),
            ("iw-IL", "he-IL", "he"),
            ("gsw", "gsw", "gsw"),
            ("es-419", "es-419", "es"),
            ("de-CH-1996", "de-CH-1996", "de"),
        ] {
            let language = Language::parse(given).unwrap();
            assert_eq!((language.as_str(), language.key()), (tag, key.to_owned()));
        }
        for refused in [
            "",
            "e",
            "english",
            "xx",
            "en_GB",
            "en-",
            "en-QZ",
            "und",
            "mul",
            "x-mine",
            "i-klingon",
            "en-x-mine",
            "en-u-co-phonebk",
            "français",
            "en-GB-GB",
        ] {
            assert!(Language::parse(refused).is_err(), "{refused}");
        }
        assert_eq!(parse_region("fr").as_deref(), Ok("FR"));
        assert_eq!(parse_region("419").as_deref(), Ok("419"));
        for refused in ["", "F", "FRA", "QZ", "4l9", "日本"] {
            assert!(parse_region(refused).is_err(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused_and_what_is_taken_stays(text in "\\PC{0,12}|[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}") {
            if let Ok(language) = Language::parse(&text) {
                prop_assert_eq!(&Language::parse(language.as_str()).unwrap(), &language);
                prop_assert!(Language::parse(&language.key()).is_ok());
            }
            if let Ok(region) = parse_region(&text) {
                prop_assert_eq!(parse_region(&region), Ok(region));
            }
        }
    }
}
