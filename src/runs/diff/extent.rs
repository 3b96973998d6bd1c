//! What a comparison has to look at: everything, or only what was touched since the last one. The one place where that is
//! decided. It is pure; the run's log quotes the reason.

use crate::run_state::RunMode;
use std::fmt;

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    Everything(Why),
    Touched,
}

/// Why everything is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    OnlyLooks,
    FullRead,
    WholeDelivery,
    LostPermission,
    NestedGroups,
    SentAgain,
    NothingCompared,
    OtherSettings,
    NotFollowed,
    MuchChanged,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnlyLooks => "the run leaves the mirror as it is",
            Self::FullRead => "everything was read",
            Self::WholeDelivery => "every delivery has to be whole",
            Self::LostPermission => "a type may no longer be read",
            Self::NestedGroups => "users carry the groups that they are in at any depth",
            Self::SentAgain => "Assets may not hold what was delivered",
            Self::NothingCompared => "the last delivery left nothing to go on from",
            Self::OtherSettings => "the settings changed, or a test delivered, since the last delivery",
            Self::NotFollowed => "not all changes since the last delivery are known",
            Self::MuchChanged => "much of the directory changed",
        })
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything(why) => write!(f, "Comparing everything: {why}."),
            Self::Touched => write!(f, "Comparing what changed since the last delivery."),
        }
    }
}

/// What decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub mode: RunMode,
    /// Only changes were read.
    pub is_patch: bool,
    pub is_whole_delivery: bool,
    pub has_lost_types: bool,
    pub has_nested_groups: bool,
    /// By what the delivered rows were compared last, and by what they would be compared now.
    pub compared_by: Option<&'a [u8]>,
    pub compares_by: &'a [u8],
    /// The generation of the mirror, the one that was read, and the one up to which all that was touched is known.
    pub generation: i64,
    pub read_generation: i64,
    pub touched_generation: Option<i64>,
    /// Types are sent whole because Assets may have lost some of their objects.
    pub resends: bool,
    pub touched: u64,
    pub objects: u64,
}

/// So few objects are looked at one by one, whatever share of the directory they are.
pub(super) const FEW: u64 = 5_000;

pub(super) fn decide(facts: &Facts<'_>) -> Extent {
    let whys = [
        (!matches!(facts.mode, RunMode::Full | RunMode::Incremental), Why::OnlyLooks),
        (!facts.is_patch, Why::FullRead),
        (facts.is_whole_delivery, Why::WholeDelivery),
        (facts.has_lost_types, Why::LostPermission),
        (facts.has_nested_groups, Why::NestedGroups),
        // Such a delivery leaves nothing to go on from either.
        (facts.resends, Why::SentAgain),
        (facts.compared_by.is_none(), Why::NothingCompared),
        (facts.compared_by != Some(facts.compares_by), Why::OtherSettings),
        (
            facts.touched_generation != Some(facts.generation) || facts.read_generation != facts.generation,
            Why::NotFollowed,
        ),
        (facts.touched > FEW && facts.touched > facts.objects / 3, Why::MuchChanged),
    ];
    let why = whys.into_iter().find(|(applies, _)| *applies);
    why.map_or(Extent::Touched, |(_, why)| Extent::Everything(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLLOWED: Facts<'static> = Facts {
        mode: RunMode::Incremental,
        is_patch: true,
        is_whole_delivery: false,
        has_lost_types: false,
        has_nested_groups: false,
        compared_by: Some(b"settings"),
        compares_by: b"settings",
        generation: 7,
        read_generation: 7,
        touched_generation: Some(7),
        resends: false,
        touched: 10,
        objects: 20,
    };

    #[test]
    fn everything_is_compared_where_what_was_touched_does_not_tell() {
        let followed = FOLLOWED;
        let cases = [
            (Facts { mode: RunMode::DryRun, ..followed }, Why::OnlyLooks),
            (Facts { mode: RunMode::Test, ..followed }, Why::OnlyLooks),
            (Facts { is_patch: false, ..followed }, Why::FullRead),
            (Facts { mode: RunMode::Full, is_patch: false, ..followed }, Why::FullRead),
            (Facts { is_whole_delivery: true, ..followed }, Why::WholeDelivery),
            (Facts { has_lost_types: true, ..followed }, Why::LostPermission),
            (Facts { has_nested_groups: true, ..followed }, Why::NestedGroups),
            (Facts { resends: true, ..followed }, Why::SentAgain),
            (Facts { resends: true, compared_by: None, ..followed }, Why::SentAgain),
            (Facts { compared_by: None, ..followed }, Why::NothingCompared),
            (Facts { compared_by: Some(b"others"), ..followed }, Why::OtherSettings),
            (Facts { touched_generation: None, ..followed }, Why::NotFollowed),
            (Facts { touched_generation: Some(6), ..followed }, Why::NotFollowed),
            (Facts { read_generation: 6, ..followed }, Why::NotFollowed),
            (Facts { touched: FEW + 1, objects: 3 * FEW, ..followed }, Why::MuchChanged),
        ];
        for (facts, why) in cases {
            assert_eq!(decide(&facts), Extent::Everything(why), "{facts:?}");
        }
        assert_eq!(decide(&followed), Extent::Touched);
        assert_eq!(decide(&Facts { touched: FEW, objects: 0, ..followed }), Extent::Touched, "few");
        assert_eq!(decide(&Facts { touched: FEW + 1, objects: 4 * FEW, ..followed }), Extent::Touched, "a part");
    }
}
