#include "archive/local_state.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/random.h"

namespace walden::archive {

namespace {

// magic (8) | repository (16) | sysid u64 | pgdata text | instance (16)
// | u32 n, n times: timeline u32, generation u32 | u8 has last: name text, content id (32)
// | CRC-32C of all before
constexpr std::string_view magic = "WALDENS1";
constexpr std::size_t state_size_max = 64 << 10;

}  // namespace

LocalState::LocalState(const std::string& directory, const std::string& cluster, Owner owner)
    : directory_(directory),
      path_(format("{}/{}-{}.state", directory, cluster, owner.system_identifier)),
      owner_(std::move(owner)) {
    try {
        const auto bytes = read_file(path_, state_size_max);
        if (bytes && parse(*bytes)) return;
    } catch (const Error&) {
        // Unreadable is the same as lost.
    }
    memberships_.clear();
    last_.reset();
    instance_ = random_array<16>();
}

std::uint32_t LocalState::membership(std::uint32_t timeline) const {
    const auto found = memberships_.find(timeline);
    return found == memberships_.end() ? 0 : found->second;
}

bool LocalState::parse(ByteView bytes) {
    if (bytes.size() < 4) return false;
    const ByteView body = bytes.first(bytes.size() - 4);
    if (crc32c(body) != load_le<std::uint32_t>(bytes.data() + body.size())) return false;
    ByteReader reader(body);
    if (as_text(reader.read_bytes(magic.size())) != magic) return false;
    if (reader.read_array<16>() != owner_.repository) return false;
    if (reader.read<std::uint64_t>() != owner_.system_identifier) return false;
    if (reader.read_text() != owner_.pgdata) return false;
    instance_ = reader.read_array<16>();
    const auto count = reader.read<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        const auto timeline = reader.read<std::uint32_t>();
        memberships_[timeline] = reader.read<std::uint32_t>();
    }
    if (reader.read<std::uint8_t>() != 0) {
        last_.emplace();
        last_->file_name = reader.read_text();
        last_->content_id.bytes = reader.read_array<32>();
    }
    return reader.ok() && reader.remaining() == 0;
}

bool LocalState::save() const {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.write_bytes(as_bytes(magic));
    writer.write_bytes(owner_.repository);
    writer.write(owner_.system_identifier);
    writer.write_text(owner_.pgdata);
    writer.write_bytes(instance_);
    writer.write(static_cast<std::uint32_t>(memberships_.size()));
    for (const auto& [timeline, generation] : memberships_) {
        writer.write(timeline);
        writer.write(generation);
    }
    writer.write(static_cast<std::uint8_t>(last_ ? 1 : 0));
    if (last_) {
        writer.write_text(last_->file_name);
        writer.write_bytes(last_->content_id.bytes);
    }
    writer.write(crc32c(bytes));
    try {
        make_directories(directory_);
        write_file_durably(path_, bytes, 0600);
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace walden::archive
