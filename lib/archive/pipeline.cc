#include "archive/pipeline.h"

#include "base/file.h"
#include "base/format.h"
#include "base/thread_crew.h"

#include <algorithm>
#include <new>

namespace walden::archive {

namespace {

/// What preparing a file of this size takes: the plain bytes, and their encoding, which is as large
/// for incompressible ones. One of several parts is encoded and put part by part, each of them also
/// sealed.
std::size_t prepare_memory(std::size_t plain_size) {
    constexpr std::size_t part_memory =
        2 * vault::piece_size_max * vault::Contents::parts_in_flight;
    const std::size_t encoded = plain_size > vault::piece_size_max ? part_memory : plain_size;
    return plain_size + encoded + (std::size_t{1} << 20);
}

/// What putting a file of one part takes: that part encoded, and sealed.
std::size_t put_memory(const vault::EncodedContents& contents) {
    return 2 * contents.parts.front().encoded.bytes.size();
}

}  // namespace

Pipeline::Pipeline(const vault::ClusterVault& vault, LocalState& state, ArchiveSettings settings,
                   PipelineOptions options, Deliver deliver)
    : vault_(vault),
      archiver_(vault, state, std::move(settings)),
      options_(options),
      deliver_(std::move(deliver)),
      gate_(options.prepare_count, options.memory) {
    threads_ = start_crew(options_.in_flight, [this] { work(); });
}

Pipeline::~Pipeline() {
    {
        const std::lock_guard lock(mutex_);
        is_closing_ = true;
        // Everything that nobody has taken up yet.
        if (!queue_.empty())
            failed_ = std::min(failed_.value_or(queue_.begin()->first), queue_.begin()->first);
        changed_.notify_all();
    }
    threads_.clear();
}

std::uint64_t Pipeline::failure_count() {
    const std::lock_guard lock(mutex_);
    return failure_count_;
}

bool Pipeline::submit(FileSource source, std::uint64_t failure_count) {
    const std::lock_guard lock(mutex_);
    if (failed_ || is_closing_ || failure_count != failure_count_) return false;
    queue_.emplace(next_, Job{.ticket = next_, .source = std::move(source)});
    ++next_;
    changed_.notify_all();
    return true;
}

std::size_t Pipeline::in_flight() {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(next_ - delivered_);
}

void Pipeline::work() {
    while (auto job = take_job()) settle(*job, run(*job));
}

std::optional<Pipeline::Job> Pipeline::take_job() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_closing_ || !queue_.empty(); });
    if (queue_.empty()) return std::nullopt;
    Job job = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    return job;
}

/// With the mutex held. A failure stops what is behind it, and only that.
void Pipeline::require_not_stopped(Ticket ticket) const {
    if (failed_ && ticket >= *failed_) throw Stopped{};
}

PipelineResult Pipeline::run(const Job& job) {
    PipelineResult result;
    const auto fail = [&](Error error) {
        error.prepend(format("archive {}", job.source.name));
        result.kind = PipelineResult::Kind::failed;
        result.error = std::move(error);
    };
    try {
        // Each ticket is admitted, also one that is stopped at once.
        PrepareGate::Admission admission(gate_, job.ticket,
                                         prepare_memory(source_size(job.source)));
        return archive_file(job, admission);
    } catch (const Stopped&) {
        result.kind = PipelineResult::Kind::stopped;
    } catch (const Error& error) {
        fail(error);
    } catch (const std::bad_alloc&) {
        fail(Error(ErrorKind::io, "out of memory"));
    } catch (const std::exception& error) {
        fail(Error(ErrorKind::io, error.what()));
    }
    return result;
}

StorableFile Pipeline::prepare(const Job& job) const {
    PreparedFile file = archiver_.preparer().prepare(job.source);
    const auto content_id = vault_.contents().id_of(*file.bytes);
    return {std::move(file), content_id, vault_.layout()};
}

PipelineResult Pipeline::archive_file(const Job& job, PrepareGate::Admission& admission) {
    {
        const std::lock_guard lock(mutex_);
        require_not_stopped(job.ticket);
    }
    StorableFile file = prepare(job);
    PipelineResult result{.kind = PipelineResult::Kind::archived,
                          .archive = {},
                          .version = file.version,
                          .error = {}};
    // Whether it has to be encoded at all is known when the file before it is.
    admission.leave_place();
    if (file.entry.kind == vault::FileKind::segment && await_line(job, file)) {
        admission.take_place();
        if (auto archived = publish_in_line(job, file, admission)) {
            result.archive = std::move(*archived);
            return result;
        }
        // Somebody else archived the one before, and maybe this one. The plain bytes have been
        // given back already.
        await_alone(job);
        file = prepare(job);
        result.version = file.version;
    }
    result.archive = archive_alone(job, file);
    return result;
}

ArchiveResult Pipeline::archive_alone(const Job& job, StorableFile& file) {
    await_alone(job);
    ArchiveResult result = archiver_.finish(file);
    const std::lock_guard lock(mutex_);
    line_.reset();
    if (file.entry.kind == vault::FileKind::segment)
        line_ = Line{.ticket = job.ticket,
                     .segment = segment_of(file),
                     .file_name = file.entry.file_name,
                     .content_id = file.entry.content_id,
                     .proven_at = Clock::now(),
                     .is_open = result.outcome == ArchiveOutcome::stored};
    return result;
}

/// nullopt if the line has ended meanwhile.
std::optional<ArchiveResult> Pipeline::publish_in_line(const Job& job, StorableFile& file,
                                                       PrepareGate::Admission& admission) {
    put(file, admission);
    auto predecessor = await_turn(job, file);
    if (!predecessor) return std::nullopt;
    file.entry.predecessor = std::move(predecessor);
    ArchiveResult result = archiver_.publisher().publish(file);
    const std::lock_guard lock(mutex_);
    if (result.outcome == ArchiveOutcome::already_stored && line_) line_->is_open = false;
    to_remember_[job.ticket] = {.file_name = file.entry.file_name,
                                .content_id = file.entry.content_id};
    return result;
}

/// Encodes and puts what the entry will name. What is not needed any more is given back at once.
void Pipeline::put(StorableFile& file, PrepareGate::Admission& admission) const {
    codec::EncodeOptions encoding = archiver_.preparer().settings().encoding;
    // Other files keep the other processors busy: more threads would only be started and ended.
    encoding.worker_count = std::min(encoding.worker_count, admission.thread_count());
    if (file.bytes->size() > vault::piece_size_max) {
        vault_.contents().put(*file.bytes, encoding, file.entry);
        file.bytes.reset();
        admission.release();
        return;
    }
    file.contents = vault_.contents().encode(*file.bytes, encoding);
    file.bytes.reset();
    admission.leave_place();
    admission.shrink_to(put_memory(*file.contents));
    archiver_.publisher().put(file);
    file.contents.reset();
    admission.release();
}

wal::SegmentName Pipeline::segment_of(const StorableFile& file) const {
    return *wal::resolve_segment(file.name, archiver_.preparer().settings().instance.segment_size);
}

/// With the mutex held: whether nothing but segments without a gap lies between the line's last and
/// this one, as far as that can be told before they have begun.
bool Pipeline::continues_line(const Job& job, const StorableFile& file) const {
    if (!line_ || !line_->is_open) return false;
    const wal::SegmentName segment = segment_of(file);
    return segment.timeline == line_->segment.timeline && job.ticket > line_->ticket &&
           segment.segment_number > line_->segment.segment_number &&
           segment.segment_number - line_->segment.segment_number == job.ticket - line_->ticket;
}

/// Waits until it is known how the file will be published. True: in line, as far as can be told
/// now.
bool Pipeline::await_line(const Job& job, const StorableFile& file) {
    std::unique_lock lock(mutex_);
    bool continues = false;
    changed_.wait(lock, [&] {
        require_not_stopped(job.ticket);
        continues = continues_line(job, file) &&
                    Clock::now() - line_->proven_at <= options_.proof_valid_for;
        return continues || delivered_ == job.ticket;
    });
    return continues;
}

/// Waits until all files before have begun to be published. Takes the file's place in the line and
/// returns what it names as its predecessor; nullopt if the line does not lead here.
std::optional<vault::Predecessor> Pipeline::await_turn(const Job& job, const StorableFile& file) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        require_not_stopped(job.ticket);
        return begun_ == job.ticket;
    });
    if (!continues_line(job, file) || line_->ticket + 1 != job.ticket) return std::nullopt;
    vault::Predecessor predecessor{.file_name = line_->file_name, .content_id = line_->content_id};
    line_->ticket = job.ticket;
    line_->segment = segment_of(file);
    line_->file_name = file.entry.file_name;
    line_->content_id = file.entry.content_id;
    ++begun_;
    changed_.notify_all();
    return predecessor;
}

void Pipeline::await_alone(const Job& job) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        require_not_stopped(job.ticket);
        return delivered_ == job.ticket;
    });
}

void Pipeline::settle(const Job& job, PipelineResult result) {
    std::unique_lock lock(mutex_);
    if (result.kind == PipelineResult::Kind::failed) {
        failed_ = std::min(failed_.value_or(job.ticket), job.ticket);
        ++failure_count_;
    }
    settled_.emplace(job.ticket, std::pair(job, std::move(result)));
    changed_.notify_all();
    deliver_in_order(lock);
}

/// Hands out results as far as all before them are settled. Whoever comes while another thread does
/// this leaves it to that one.
void Pipeline::deliver_in_order(std::unique_lock<std::mutex>& lock) {
    if (is_delivering_) return;
    is_delivering_ = true;
    while (!settled_.empty() && settled_.begin()->first == delivered_) {
        auto [job, result] = std::move(settled_.extract(settled_.begin()).mapped());
        // In the store or not: what is behind a failure is not told as archived.
        if (failed_ && job.ticket > *failed_) result = {};
        auto noted = to_remember_.extract(job.ticket);
        const auto follows =
            settled_.empty() ? Archiver::Follows::nothing : Archiver::Follows::others;
        lock.unlock();
        if (!noted.empty() && result.kind == PipelineResult::Kind::archived)
            if (auto warning = archiver_.remember(noted.mapped(), follows))
                result.archive.warnings.push_back(std::move(*warning));
        lock.lock();
        ++delivered_;
        begun_ = std::max(begun_, delivered_);
        if (failed_ && delivered_ == next_) {
            failed_.reset();
            line_.reset();
        }
        changed_.notify_all();
        lock.unlock();
        deliver_(job.source, std::move(result));
        lock.lock();
    }
    is_delivering_ = false;
}

}  // namespace walden::archive
