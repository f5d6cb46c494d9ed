#include "recovery/placement.h"

namespace walden::recovery {

namespace {

bool is_asked_by_server(const std::string& path) {
    const std::string name = base_name(path);
    return name == "RECOVERYXLOG" || name == "RECOVERYHISTORY";
}

/// The server removes left-over "xlogtemp.*" when it starts (RemoveTempXlogFiles), so what a killed
/// fetch leaves in pg_wal does not stay.
std::string temporary_prefix(const std::string& path) {
    return is_asked_by_server(path) ? parent_directory(path) + "/xlogtemp.walden" : path + ".tmp";
}

}  // namespace

Placement::Placement(const std::string& path)
    : is_asked_by_server_(is_asked_by_server(path)),
      path_(path),
      file_(path, 0600, temporary_prefix(path)) {}

void Placement::write_at(std::uint64_t offset, ByteView part) noexcept {
    try {
        write_or_reserve_at(file_.fd(), offset, part, path_);
    } catch (const Error& error) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = error;
    }
}

void Placement::commit() {
    if (failure_) throw Error(*failure_);
    if (!is_asked_by_server_) file_.sync();
    file_.commit_replacing();
    if (!is_asked_by_server_) sync_directory(parent_directory(path_));
}

}  // namespace walden::recovery
