// Keeping keys out of core dumps and away from other processes of the same user.
#pragma once

namespace walden::crypto {

/// Allows no core dump of this process (RLIMIT_CORE 0, which children inherit) and no ptrace or
/// /proc/<pid>/mem by processes without CAP_SYS_PTRACE (PR_SET_DUMPABLE 0, which ends at exec).
/// Programs call it before they load a key. Afterwards /proc/self belongs to root, so it cannot be
/// used to list descriptors. Throws Error(io).
void protect_process_memory();

}  // namespace walden::crypto
