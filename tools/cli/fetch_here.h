// One fetch without an agent: walden-worker's, and `walden fetch`, which knows more stores.
#pragma once

#include "tools/cli/arguments.h"
#include "tools/cli/session.h"

namespace walden::cli {

/// Brings the file operands[0] to operands[1] from the storage that `open` opens. Returns 0 or
/// fetch_exit_not_there; everything else is thrown.
int fetch_here(const Arguments& arguments, storage::StoreTable stores);

}  // namespace walden::cli
