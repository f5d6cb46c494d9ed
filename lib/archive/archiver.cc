#include "archive/archiver.h"

#include "archive/source_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/parallel.h"
#include "wal/timeline_history.h"

namespace walden::archive {

namespace {

std::string describe_writer(const vault::Entry& entry) {
    return format("instance {} on host {}", to_hex(entry.writer.instance), entry.writer.host);
}

}  // namespace

ArchiveResult Archiver::archive(const std::string& path) {
    return in_context(
        [&] { return format("archive {}", base_name(path)); },
        [&] {
            PreparedFile file = preparer_.read(path);
            const codec::EncodeOptions& encoding = preparer_.settings().encoding;
            std::optional<vault::StoredEntry> present;
            if (!file.entry_key.empty()) present = vault_.entries().find(file.entry_key);
            // Nothing of this needs the other's result, and encoding takes most of
            // the time.
            run_beside(
                encoding.worker_count,
                [&] {
                    // A file of several pieces is encoded piece by piece, which
                    // bounds the memory.
                    if (!present && file.bytes.size() <= vault::piece_size_max)
                        file.contents = vault_.contents().encode(file.bytes, encoding);
                },
                [&] {
                    preparer_.examine(file);
                    file.entry.content_id = vault_.contents().id_of(file.bytes);
                });
            return file.entry.kind == vault::FileKind::partial ? finish(file)
                                                               : settle(file, present);
        });
}

ArchiveResult Archiver::finish(PreparedFile& file) {
    if (file.entry.kind == vault::FileKind::partial)
        file.entry_key = vault_.layout().partial_key(file.entry.file_name, file.entry.content_id);
    return settle(file, vault_.entries().find(file.entry_key));
}

/// The file is known to be ours and whole; `present` is what its name holds in the store.
ArchiveResult Archiver::settle(PreparedFile& file,
                               const std::optional<vault::StoredEntry>& present) {
    ArchiveResult result{.plain_size = file.bytes.size(), .warnings = file.warnings};
    const bool is_segment = file.entry.kind == vault::FileKind::segment;
    if (present && present->entry.content_id != file.entry.content_id)
        keep_conflict(file, present->entry);
    const bool claims = is_segment || file.entry.kind == vault::FileKind::history;
    // What is archived already adds nothing to the line. A history is the exception: forks write
    // the same one.
    if (claims && (!present || !is_segment))
        membership_.require({.name = file.name, .wal_directory = file.directory});
    if (present) {
        settle_identical(file, present->entry);
        result.outcome = ArchiveOutcome::already_stored;
        result.stored_size = present->entry.stored_size();
    } else {
        if (is_segment) file.entry.predecessor = find_predecessor(file, result);
        store(file, result);
    }
    if (is_segment)
        state_.set_last_archived(
            {.file_name = file.entry.file_name, .content_id = file.entry.content_id});
    if (auto warning = save_state()) result.warnings.push_back(std::move(*warning));
    return result;
}

std::optional<vault::Predecessor> Archiver::find_predecessor(const PreparedFile& file,
                                                             ArchiveResult& result) const {
    const wal::SegmentSize size = preparer_.settings().instance.segment_size;
    const auto segment = *wal::resolve_segment(file.name, size);
    const auto before = wal::previous(segment);
    if (!before) return std::nullopt;

    std::vector<wal::TimelineId> timelines = {segment.timeline};
    if (segment.timeline > 1) {
        const std::string history_path =
            format("{}/{}.history", file.directory, wal::timeline_part(segment.timeline));
        if (const auto bytes = read_file(history_path, text_file_size_max)) {
            const auto parsed = wal::parse_timeline_history(*bytes, segment.timeline);
            if (parsed.history)
                timelines = parsed.history->timelines_of_segment(before->segment_number, size);
        }
    }
    const auto& last = state_.last_archived();
    for (const wal::TimelineId timeline : timelines) {
        const std::string name =
            to_string(wal::SegmentName{timeline, before->segment_number}, size);
        std::optional<vault::StoredEntry> stored;
        try {
            stored = vault_.entries().find(vault_.layout().segment_key(name));
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::corrupt) throw;
            // What the store lost is lost; keeping back the next segment would only fill pg_wal.
            result.warnings.push_back(format("{}: no recovery can pass {}. Take a base backup now",
                                             error.message(), name));
            continue;
        }
        if (!stored && last && last->file_name == name)
            result.warnings.push_back(format(
                "{} was archived from here and is not in the archive any more: was the store "
                "replaced by an older copy? Take a base backup now",
                name));
        if (!stored) continue;
        if (last && last->file_name == name && last->content_id != stored->entry.content_id)
            throw Error(ErrorKind::conflict,
                        format("the archive's {} is not the one that this instance archived", name))
                .with_detail(
                    format("The archive's was written by {}.", describe_writer(stored->entry)))
                .with_hint(
                    "Another instance archives into this timeline, or the store was replaced "
                    "by an older copy.");
        return vault::Predecessor{.file_name = name, .content_id = stored->entry.content_id};
    }
    return std::nullopt;
}

ArchiveResult Archiver::fill(PreparedFile& file) const {
    ArchiveResult result{.plain_size = file.bytes.size(), .warnings = file.warnings};
    const auto present = vault_.entries().find(file.entry_key);
    if (present && present->entry.content_id != file.entry.content_id)
        keep_conflict(file, present->entry);
    if (present) {
        settle_identical(file, present->entry);
        result.outcome = ArchiveOutcome::already_stored;
        result.stored_size = present->entry.stored_size();
    } else {
        store(file, result);
    }
    return result;
}

void Archiver::store(PreparedFile& file, ArchiveResult& result) const {
    put_contents(file, file.entry);
    result.stored_size = file.entry.stored_size();
    mark_damage(file);
    result.plain_reason = file.plain_reason();
    const auto published = vault_.entries().publish(file.entry_key, file.entry);
    if (published.outcome == vault::PublishOutcome::different)
        keep_conflict(file, published.present->entry);
}

void Archiver::mark_damage(const PreparedFile& file) const {
    if (!file.is_damaged) return;
    static_cast<void>(vault_.entries().publish(
        vault_.layout().damaged_key(file.entry.file_name, file.entry.content_id), file.entry));
}

void Archiver::put_contents(const PreparedFile& file, vault::Entry& entry) const {
    if (file.contents)
        vault_.contents().put(*file.contents, entry);
    else
        vault_.contents().put(file.bytes, preparer_.settings().encoding, entry);
}

void Archiver::settle_identical(const PreparedFile& file, const vault::Entry& present) const {
    if (vault_.storage().is_durable_once_visible()) {
        // A standby with archive_mode = always comes here for each segment, so what it costs is
        // one small request: who damages bytes and keeps their number is left to `verify`.
        if (vault_.contents().has_by_size(present)) return;
    } else {
        vault_.entries().make_durable(file.entry_key, present);
    }
    if (vault_.contents().has_whole(present)) return;
    // The content under a living entry was removed or is damaged. We still have it.
    vault::Entry again = file.entry;
    put_contents(file, again);
    // With another codec than the first time it may have been so small that it was not stored.
    if (!vault_.contents().has(present))
        throw Error(ErrorKind::corrupt, "the archive has an entry without its content")
            .with_hint("Push it with the codec that it was first archived with.");
}

void Archiver::keep_conflict(PreparedFile& file, const vault::Entry& present) const {
    if (file.entry.pieces.empty()) put_contents(file, file.entry);
    const std::string key =
        vault_.layout().conflict_key(file.entry.file_name, file.entry.content_id);
    static_cast<void>(vault_.entries().publish(key, file.entry));
    throw Error(ErrorKind::conflict, "the archive holds other content under this name")
        .with_detail(
            format("The archive's has content id {} and was written by {}; this one has {} "
                   "and comes from instance {} on host {}. The archive's is unchanged, this "
                   "one is kept as \"{}\".",
                   to_string(present.content_id), describe_writer(present),
                   to_string(file.entry.content_id), to_hex(state_.instance()),
                   preparer_.settings().instance.host, key))
        .with_hint(
            present.writer.instance == state_.instance()
                ? "The file has changed since this server archived it: it is damaged, or the "
                  "data directory was replaced by another copy of the cluster."
                : "Two servers write the same timeline: a clone, or an old primary that was "
                  "started again. Stop the wrong one, or give it a cluster name of its own.");
}

std::optional<std::string> Archiver::remember(const LastArchived& last) {
    state_.set_last_archived(last);
    return save_state();
}

std::optional<std::string> Archiver::save_state() const {
    if (state_.save()) return std::nullopt;
    return format("could not write \"{}\"; archiving works without it, more slowly", state_.path());
}

}  // namespace walden::archive
