#include "archive/publisher.h"

#include "base/error.h"
#include "base/format.h"

namespace walden::archive {

std::string describe_writer(const vault::Entry& entry) {
    return format("instance {} on host {}", to_hex(entry.writer.instance), entry.writer.host);
}

void Publisher::require_same(StorableFile& file, const vault::Entry& present) const {
    if (present.content_id != file.entry.content_id) keep_conflict(file, present);
}

ArchiveResult Publisher::accept(const StorableFile& file, const vault::Entry& present) const {
    ArchiveResult result{.outcome = ArchiveOutcome::already_stored,
                         .plain_size = file.plain_size,
                         .stored_size = present.stored_size(),
                         .warnings = file.warnings};
    if (vault_.storage().is_durable_once_visible()) {
        // A standby with archive_mode = always comes here for each segment, so what it costs is
        // one small request: who damages bytes and keeps their number is left to `verify`.
        if (vault_.contents().has_by_size(present)) return result;
    } else {
        vault_.entries().make_durable(file.entry_key, present);
    }
    if (vault_.contents().has_whole(present)) return result;
    // The content under a living entry was removed or is damaged. We still have it.
    vault::Entry again = file.entry;
    put_contents(file, again);
    // With another codec than the first time it may have been so small that it was not stored.
    if (!vault_.contents().has(present))
        throw Error(ErrorKind::corrupt, "the archive has an entry without its content")
            .with_hint("Push it with the codec that it was first archived with.");
    return result;
}

void Publisher::put(StorableFile& file) const {
    put_contents(file, file.entry);
}

ArchiveResult Publisher::publish(StorableFile& file) const {
    mark_damage(file);
    const auto published = vault_.entries().publish(file.entry_key, file.entry);
    if (published.outcome == vault::PublishOutcome::different)
        keep_conflict(file, published.present->entry);
    return {.outcome = published.outcome == vault::PublishOutcome::identical
                           ? ArchiveOutcome::already_stored
                           : ArchiveOutcome::stored,
            .plain_size = file.plain_size,
            .stored_size = file.entry.stored_size(),
            .plain_reason = file.plain_reason(),
            .warnings = file.warnings};
}

/// Makes sure that a listing will show a segment that is damaged at its source; before its entry is
/// published, so that no crash leaves one that nobody knows of.
void Publisher::mark_damage(const StorableFile& file) const {
    if (!file.is_damaged) return;
    static_cast<void>(vault_.entries().publish(
        vault_.layout().damaged_key(file.entry.file_name, file.entry.content_id), file.entry));
}

void Publisher::put_contents(const StorableFile& file, vault::Entry& entry) const {
    if (file.contents)
        vault_.contents().put(*file.contents, entry);
    else
        vault_.contents().put(*file.bytes, settings_.encoding, entry);
}

void Publisher::keep_conflict(StorableFile& file, const vault::Entry& present) const {
    if (file.entry.pieces.empty()) put_contents(file, file.entry);
    const std::string key =
        vault_.layout().conflict_key(file.entry.file_name, file.entry.content_id);
    static_cast<void>(vault_.entries().publish(key, file.entry));
    throw Error(ErrorKind::conflict, "the archive holds other content under this name")
        .with_detail(format(
            "The archive's has content id {} and was written by {}; this one has {} "
            "and comes from instance {} on host {}. The archive's is unchanged, this "
            "one is kept as \"{}\".",
            to_string(present.content_id), describe_writer(present),
            to_string(file.entry.content_id), to_hex(instance_), settings_.instance.host, key))
        .with_hint(
            present.writer.instance == instance_
                ? "This server went back in time: its machine was reverted to a snapshot, or its "
                  "data directory replaced by an older copy. \"walden check\" names the two ways "
                  "out."
                : "Two servers write the same timeline: a clone, or an old primary that was "
                  "started again. Stop the wrong one, or give it a cluster name of its own and "
                  "run \"walden init\" there. \"walden info\" lists what both wrote.");
}

}  // namespace walden::archive
