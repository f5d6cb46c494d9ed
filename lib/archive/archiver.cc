#include "archive/archiver.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/parallel.h"
#include "wal/timeline_history.h"

namespace walden::archive {

namespace {

/// Of a line of files that are archived one after the other.
constexpr std::chrono::seconds state_save_distance{1};

}  // namespace

ArchiveResult Archiver::archive(const FileSource& source) {
    return in_context([&] { return format("archive {}", source.name); },
                      [&] {
                          PreparedFile file = preparer_.read(source);
                          const codec::EncodeOptions& encoding = preparer_.settings().encoding;
                          std::optional<vault::StoredEntry> present;
                          if (!file.entry_key.empty())
                              present = vault_.entries().find(file.entry_key);
                          std::optional<vault::EncodedContents> contents;
                          crypto::ContentId content_id;
                          // Nothing of this needs the other's result, and encoding takes most of
                          // the time.
                          run_beside(
                              encoding.worker_count,
                              [&] {
                                  // A file of several pieces is encoded piece by piece, which
                                  // bounds the memory.
                                  if (!present && file.bytes->size() <= vault::piece_size_max)
                                      contents = vault_.contents().encode(*file.bytes, encoding);
                              },
                              [&] {
                                  preparer_.examine(file);
                                  content_id = vault_.contents().id_of(*file.bytes);
                              });
                          StorableFile storable(std::move(file), content_id, vault_.layout());
                          storable.contents = std::move(contents);
                          // Only the bytes tell that a file is a partial one, and only its content
                          // names it.
                          return storable.entry.kind == vault::FileKind::partial
                                     ? finish(storable)
                                     : settle(storable, present);
                      });
}

/// `present` is what the file's name holds in the store.
ArchiveResult Archiver::settle(StorableFile& file,
                               const std::optional<vault::StoredEntry>& present) {
    const bool is_segment = file.entry.kind == vault::FileKind::segment;
    if (present) publisher_.require_same(file, present->entry);
    const bool claims = is_segment || file.entry.kind == vault::FileKind::history;
    // What is archived already adds nothing to the line. A history is the exception: forks write
    // the same one.
    if (claims && (!present || !is_segment))
        membership_.require({.name = file.name, .wal_directory = file.directory});
    ArchiveResult result;
    if (present) {
        result = publisher_.accept(file, present->entry);
    } else {
        if (is_segment) file.entry.predecessor = find_predecessor(file);
        publisher_.put(file);
        result = publisher_.publish(file);
    }
    if (is_segment)
        state_.set_last_archived(
            {.file_name = file.entry.file_name, .content_id = file.entry.content_id});
    if (auto warning = save_state()) result.warnings.push_back(std::move(*warning));
    return result;
}

std::optional<vault::Predecessor> Archiver::find_predecessor(StorableFile& file) const {
    const wal::SegmentSize size = preparer_.settings().instance.segment_size;
    const auto segment = *wal::resolve_segment(file.name, size);
    const auto before = wal::previous(segment);
    if (!before) return std::nullopt;

    std::vector<wal::TimelineId> timelines = {segment.timeline};
    if (segment.timeline > 1) {
        const std::string history_path = file.directory + "/" + wal::history_name(segment.timeline);
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
            file.warnings.push_back(format("{}: no recovery can pass {}. Take a base backup now",
                                           error.message(), name));
            continue;
        }
        if (!stored && last && last->file_name == name)
            file.warnings.push_back(format(
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
    warn_of_jump(file);
    return std::nullopt;
}

/// PostgreSQL asks for segments in order, so one that comes too early says that those before it
/// will not come: pg_resetwal skipped them, or somebody removed them from pg_wal. Once for each
/// jump, as this segment is the last archived one from now on.
void Archiver::warn_of_jump(StorableFile& file) const {
    const wal::SegmentSize size = preparer_.settings().instance.segment_size;
    const auto segment = *wal::resolve_segment(file.name, size);
    const auto& last = state_.last_archived();
    const auto before = last ? wal::parse_segment_name(last->file_name, size) : std::nullopt;
    if (!before || before->timeline != segment.timeline ||
        before->segment_number + 1 >= segment.segment_number)
        return;
    const std::uint64_t count = segment.segment_number - before->segment_number - 1;
    file.warnings.push_back(format(
        "WAL jumps from {} to {}: {} between them {} not in the archive, and no recovery can "
        "pass. Was pg_resetwal run, or WAL removed from pg_wal? Take a base backup now",
        last->file_name, to_string(file.name),
        count == 1 ? std::string("the segment") : format("{} segments", count),
        count == 1 ? "is" : "are"));
}

ArchiveResult Archiver::fill(StorableFile& file) const {
    if (const auto present = publisher_.find(file)) {
        publisher_.require_same(file, present->entry);
        return publisher_.accept(file, present->entry);
    }
    publisher_.put(file);
    return publisher_.publish(file);
}

std::optional<std::string> Archiver::remember(const LastArchived& last, Follows follows) {
    state_.set_last_archived(last);
    // It is synced, and what is lost of it here costs a warning less, nothing else.
    const bool is_due = std::chrono::steady_clock::now() - saved_at_ >= state_save_distance;
    return follows == Follows::nothing || is_due ? save_state() : std::nullopt;
}

std::optional<std::string> Archiver::save_state() {
    saved_at_ = std::chrono::steady_clock::now();
    if (state_.save()) return std::nullopt;
    return format("could not write \"{}\"; archiving works without it, more slowly", state_.path());
}

}  // namespace walden::archive
