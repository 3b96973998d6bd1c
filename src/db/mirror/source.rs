//! Where a comparison reads objects: the mirror, or what a test or dry run staged.

use crate::ids::{JobId, RunId};
use uuid::Uuid;

/// Where the objects of a comparison are.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The last complete read of the job.
    Mirror(JobId),
    /// What this run staged.
    Staged(RunId),
}

impl Source {
    /// Table of objects, table of members, column of the key.
    pub(super) fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Mirror(_) => ("mirror_objects", "mirror_members", "job_id"),
            Self::Staged(_) => ("staged_objects", "staged_members", "run_id"),
        }
    }

    /// The objects with their data. An object that equals the mirror's is staged without data, so that is joined.
    pub(super) fn whole_objects(self) -> &'static str {
        match self {
            Self::Mirror(_) => "mirror_objects",
            Self::Staged(_) => {
                "(SELECT s.organization_id, s.run_id, s.object_type, s.id, coalesce(s.data, m.data) AS data
                  FROM staged_objects s JOIN runs r ON r.organization_id = s.organization_id AND r.id = s.run_id
                  LEFT JOIN mirror_objects m ON s.data IS NULL AND m.organization_id = s.organization_id
                    AND m.job_id = r.job_id AND m.object_type = s.object_type AND m.id = s.id)"
            }
        }
    }

    /// The members of groups with their ids. Members that equal the mirror's are staged without ids, so these are joined.
    pub(super) fn whole_members(self) -> &'static str {
        match self {
            Self::Mirror(_) => "mirror_members",
            Self::Staged(_) => {
                "(SELECT s.organization_id, s.run_id, s.group_id, s.member_type, s.part,
                    coalesce(s.member_ids, m.member_ids) AS member_ids
                  FROM staged_members s JOIN runs r ON r.organization_id = s.organization_id AND r.id = s.run_id
                  LEFT JOIN mirror_members m ON s.member_ids IS NULL AND m.organization_id = s.organization_id
                    AND m.job_id = r.job_id AND m.group_id = s.group_id AND m.member_type = s.member_type
                    AND m.part = s.part AND m.hash = s.hash)"
            }
        }
    }

    /// The data of one object `w`, where $2 is the job. One that equals the mirror's is staged without it.
    pub(super) fn whole_data(self) -> &'static str {
        match self {
            Self::Mirror(_) => "w.data",
            Self::Staged(_) => {
                "coalesce(w.data, (SELECT m.data FROM mirror_objects m WHERE m.organization_id = w.organization_id
                    AND m.job_id = $2 AND m.object_type = w.object_type AND m.id = w.id))"
            }
        }
    }

    /// The users that are direct members of a group `o`, ascending, where $1 is the organization, $2 the job and $3 the key.
    pub(super) fn users_of_group(self) -> &'static str {
        match self {
            Self::Mirror(_) => {
                "(SELECT array_agg(DISTINCT member ORDER BY member) FROM mirror_members g, unnest(g.member_ids) AS member
                  WHERE g.organization_id = $1 AND g.job_id = $3 AND g.group_id = o.id AND g.member_type = 'user')"
            }
            Self::Staged(_) => {
                "(SELECT array_agg(DISTINCT member ORDER BY member) FROM staged_members g,
                    unnest(coalesce(g.member_ids, (SELECT m.member_ids FROM mirror_members m
                        WHERE m.organization_id = $1 AND m.job_id = $2 AND m.group_id = g.group_id
                            AND m.member_type = g.member_type AND m.part = g.part AND m.hash = g.hash))) AS member
                  WHERE g.organization_id = $1 AND g.run_id = $3 AND g.group_id = o.id AND g.member_type = 'user')"
            }
        }
    }

    /// The objects with their data, and the column of the key.
    pub(in crate::db) fn whole_objects_by(self) -> (&'static str, &'static str) {
        (self.whole_objects(), self.names().2)
    }

    pub(in crate::db) fn key(self) -> Uuid {
        match self {
            Self::Mirror(job) => job.0,
            Self::Staged(run) => run.0,
        }
    }
}
