// Pages that were read with a wrong checksum: excused if WAL brings them anew.
//
// A page that the server writes while it is read is torn. Replay repairs it, because the first
// change after the checkpoint that a backup begins with logs the whole page. So exactly the pages
// that WAL from redo to stop has an image of are excused; what the page itself says, its LSN above
// all, proves nothing.
#pragma once

#include "backup/wal_source.h"
#include "backup/work.h"
#include "vault/backup_record.h"
#include "wal/lsn.h"

#include <cstdint>
#include <vector>

namespace walden::backup {

/// The suspects that WAL from `redo` to `stop` has no image of, ascending. Where a segment of it
/// cannot be read, the reason is DamageReason::unknown.
[[nodiscard]] std::vector<vault::DamagedPage> find_damaged(const WalSource& wal, wal::Lsn redo,
                                                           wal::Lsn stop,
                                                           std::vector<SuspectPage> suspects,
                                                           std::uint32_t pages_per_file);

}  // namespace walden::backup
