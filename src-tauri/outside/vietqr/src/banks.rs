//! The banks that can be paid by VietQR: BIN, code and the short name that SePay uses.
//!
//! Source: xuannghia/vietnam-qr-pay `src/constants/banks.ts` @17a05d3; short names as in SePay's own lists.

/// A bank or wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bank {
    /// Six digits, in the QR payload.
    pub bin: &'static str,
    /// The common code: `VCB`.
    pub code: &'static str,
    /// The name SePay's `gateway` and QR service use: `Vietcombank`.
    pub short_name: &'static str,
    /// Other names met in the wild.
    aliases: &'static [&'static str],
}

/// The bank of a SePay short name, a code or an alias, whatever its case, spaces and dashes.
pub fn by_name(name: &str) -> Option<&'static Bank> {
    let wanted = plain(name);
    if wanted.is_empty() {
        return None;
    }
    let is_wanted = |name: &&str| plain(name) == wanted;
    BANKS.iter().find(|bank| {
        is_wanted(&bank.short_name) || is_wanted(&bank.code) || bank.aliases.iter().any(is_wanted)
    })
}

/// The bank of a BIN.
pub fn by_bin(bin: &str) -> Option<&'static Bank> {
    BANKS.iter().find(|bank| bank.bin == bin)
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

const fn bank(
    bin: &'static str,
    code: &'static str,
    short_name: &'static str,
    aliases: &'static [&'static str],
) -> Bank {
    Bank { bin, code, short_name, aliases }
}

/// Every bank known here, the most common first. `BVB` is in use for two banks, so it names neither.
pub static BANKS: &[Bank] = &[
    bank("970436", "VCB", "Vietcombank", &[]),
    bank("970415", "ICB", "VietinBank", &["CTG"]),
    bank("970418", "BIDV", "BIDV", &[]),
    bank("970405", "VBA", "Agribank", &["AGR"]),
    bank("970407", "TCB", "Techcombank", &[]),
    bank("970422", "MB", "MBBank", &[]),
    bank("970416", "ACB", "ACB", &[]),
    bank("970432", "VPB", "VPBank", &[]),
    bank("970423", "TPB", "TPBank", &["Tienphongbank"]),
    bank("970403", "STB", "Sacombank", &[]),
    bank("970437", "HDB", "HDBank", &[]),
    bank("970441", "VIB", "VIB", &["VIBBank"]),
    bank("970443", "SHB", "SHB", &["SHBBank"]),
    bank("970431", "EIB", "Eximbank", &[]),
    bank("970426", "MSB", "MSB", &["MaritimeBank"]),
    bank("970448", "OCB", "OCB", &["PhuongDong"]),
    bank("970440", "SSB", "SeABank", &[]),
    bank("970449", "LPB", "LPBank", &["LienVietPostBank"]),
    bank("970429", "SCB", "SCB", &[]),
    bank("970428", "NAB", "NamABank", &["Nam A"]),
    bank("970409", "BAB", "BacABank", &["Bac A"]),
    bank("970425", "ABB", "ABBank", &[]),
    bank("970412", "PVCB", "PVcomBank", &["PVC"]),
    bank("970419", "NCB", "NCB", &[]),
    bank("970452", "KLB", "KienLongBank", &[]),
    bank("970427", "VAB", "VietABank", &[]),
    bank("970433", "VBB", "VietBank", &[]),
    bank("970430", "PGB", "PGBank", &[]),
    bank("970400", "SGICB", "SaigonBank", &["SGB"]),
    bank("970454", "VCCB", "BVBank", &["VietCapitalBank", "BanViet"]),
    bank("970438", "BVI", "BaoVietBank", &["BaoViet"]),
    bank("970446", "COOPBANK", "CoOpBank", &["Co-op"]),
    bank("970424", "SHBVN", "ShinhanBank", &["Shinhan"]),
    bank("970457", "WVN", "Woori", &["WooriBank"]),
    bank("970458", "UOB", "UnitedOverseas", &["UOBVietnam"]),
    bank("970439", "PBVN", "PublicBank", &["Public Bank"]),
    bank("970434", "IVB", "IndovinaBank", &["Indovina"]),
    bank("970421", "VRB", "VRB", &[]),
    bank("970408", "GPB", "GPBank", &[]),
    bank("970414", "MBV", "MBV", &["Oceanbank"]),
    bank("970406", "VIKKI", "Vikki", &["VikkiBank", "DongABank", "DOB"]),
    bank("546034", "CAKE", "CAKE", &[]),
    bank("546035", "UBANK", "Ubank", &[]),
    bank("963388", "TIMO", "Timo", &[]),
    bank("963369", "LIOBANK", "Liobank", &["LIO"]),
    bank("971025", "MOMO", "MoMo", &[]),
    bank("422589", "CIMB", "CIMB", &["CIMBBank"]),
    bank("458761", "HSBC", "HSBC", &[]),
    bank("970410", "SCVN", "StandardChartered", &["Standard Chartered"]),
    bank("668888", "KBANK", "KBank", &["Kasikornbank"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn sepay_short_names_are_known() {
        for (name, bin) in [
            ("ACB", "970416"),
            ("BIDV", "970418"),
            ("MBBank", "970422"),
            ("MSB", "970426"),
            ("KienLongBank", "970452"),
            ("OCB", "970448"),
            ("Sacombank", "970403"),
            ("TPBank", "970423"),
            ("VietinBank", "970415"),
            ("VPBank", "970432"),
            ("Vietcombank", "970436"),
            ("Techcombank", "970407"),
            ("HDBank", "970437"),
            ("VIB", "970441"),
            ("Eximbank", "970431"),
            ("Agribank", "970405"),
            ("ShinhanBank", "970424"),
            ("PublicBank", "970439"),
            ("mb", "970422"),
            ("TPB", "970423"),
            ("ctg", "970415"),
            ("ICB", "970415"),
            (" viet com bank ", "970436"),
        ] {
            assert_eq!(by_name(name).map(|bank| bank.bin), Some(bin), "{name}");
        }
        for name in ["", "  ", "bank", "Vietcom", "ngân hàng"] {
            assert_eq!(by_name(name), None, "{name}");
        }
    }

    #[test]
    fn no_two_banks_share_a_bin_or_a_name() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for bank in BANKS {
            assert!(bank.bin.len() == 6 && bank.bin.bytes().all(|b| b.is_ascii_digit()), "{bank:?}");
            assert_eq!(by_bin(bank.bin), Some(bank));
            let mut names = vec![plain(bank.code), plain(bank.short_name), bank.bin.to_owned()];
            names.extend(bank.aliases.iter().map(|alias| plain(alias)));
            names.sort();
            names.dedup();
            for name in names {
                assert_eq!(seen.insert(name.clone(), bank.bin), None, "{name} of {bank:?}");
            }
        }
    }
}
