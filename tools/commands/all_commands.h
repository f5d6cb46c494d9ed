// The commands of `walden`: each describes itself on the command line, in the file of its name.
#pragma once

#include "tools/cli/command_line.h"

namespace walden::commands {

void add_adopt(const cli::Command& parent);
void add_agent(const cli::Command& parent);
void add_backfill(const cli::Command& parent);
void add_backup(const cli::Command& parent);
void add_check(const cli::Command& parent);
void add_expire(const cli::Command& parent);
void add_fetch(const cli::Command& parent);
void add_flush(const cli::Command& parent);
void add_info(const cli::Command& parent);
void add_init(const cli::Command& parent);
void add_keys(const cli::Command& parent);
void add_preview(const cli::Command& parent);
void add_push(const cli::Command& parent);
void add_restore(const cli::Command& parent);
void add_status(const cli::Command& parent);
void add_unpack(const cli::Command& parent);
void add_verify(const cli::Command& parent);

}  // namespace walden::commands
