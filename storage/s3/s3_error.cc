#include "storage/s3/s3_error.h"

#include "base/format.h"

#include <algorithm>
#include <array>

namespace walden::storage::s3 {

namespace {

struct CodeMeaning {
    std::string_view code;
    ErrorKind kind;
    std::string_view hint;
};

/// Codes whose meaning their status does not tell. Sources: "List of error codes" in the Amazon S3
/// API reference; QuotaExceeded and UserSuspended are radosgw's.
constexpr std::array meanings = {
    CodeMeaning{"NoSuchBucket", ErrorKind::not_found,
                "Check the bucket's name, region and endpoint."},
    CodeMeaning{"PermanentRedirect", ErrorKind::usage,
                "The bucket is in another place: set endpoint or region."},
    CodeMeaning{"TemporaryRedirect", ErrorKind::usage,
                "The bucket is in another place: set endpoint or region."},
    CodeMeaning{"AuthorizationHeaderMalformed", ErrorKind::usage, "Check region."},
    CodeMeaning{"InvalidBucketName", ErrorKind::usage, "Check the bucket's name."},
    CodeMeaning{"NotImplemented", ErrorKind::usage,
                "The store lacks something that S3 has. If it is the condition If-None-Match, "
                "store.fencing = \"none\" does without, for a store with surely one writer; if it "
                "is a checksum, store.checksum = \"none\" leaves it out."},
    CodeMeaning{"AccessDenied", ErrorKind::denied, ""},
    CodeMeaning{"InvalidAccessKeyId", ErrorKind::denied,
                "The store does not know this access key."},
    CodeMeaning{
        "SignatureDoesNotMatch", ErrorKind::denied,
        "The secret access key is not the one that belongs to this access key, the region is not "
        "the store's, a proxy in between changes the Host header, or the store does not know "
        "checksum headers: store.checksum = \"none\" leaves them out."},
    CodeMeaning{"ExpiredToken", ErrorKind::denied, "The temporary credentials have expired."},
    CodeMeaning{"InvalidToken", ErrorKind::denied, "The session token is not valid."},
    CodeMeaning{"TokenRefreshRequired", ErrorKind::denied, ""},
    CodeMeaning{"RequestTimeTooSkewed", ErrorKind::denied,
                "The clock of this host differs from the store's by more than 15 minutes."},
    CodeMeaning{"UserSuspended", ErrorKind::denied, ""},
    CodeMeaning{"QuotaExceeded", ErrorKind::io, "The store has no room left for this user."},
    CodeMeaning{"InternalError", ErrorKind::unavailable, ""},
    CodeMeaning{"ServiceUnavailable", ErrorKind::unavailable, ""},
    CodeMeaning{"SlowDown", ErrorKind::unavailable, ""},
    CodeMeaning{"RequestTimeout", ErrorKind::unavailable, ""},
    CodeMeaning{"OperationAborted", ErrorKind::unavailable, ""},
    CodeMeaning{"ConditionalRequestConflict", ErrorKind::unavailable, ""},
    // The bytes were damaged or lost on the way; the next attempt sends them again.
    CodeMeaning{"BadDigest", ErrorKind::unavailable, ""},
    CodeMeaning{"XAmzContentSHA256Mismatch", ErrorKind::unavailable, ""},
    CodeMeaning{"XAmzContentChecksumMismatch", ErrorKind::unavailable, ""},
    CodeMeaning{"IncompleteBody", ErrorKind::unavailable, ""},
    // Somebody aborted the upload, or it expired: the object is uploaded anew.
    CodeMeaning{"NoSuchUpload", ErrorKind::unavailable, ""},
    CodeMeaning{"InvalidPart", ErrorKind::unavailable, ""},
    CodeMeaning{"InvalidStorageClass", ErrorKind::usage, "Check storage_class."},
    CodeMeaning{"InvalidObjectState", ErrorKind::io,
                "The object lies in an archive class; restore it in the store first."},
};

const CodeMeaning* find_meaning(std::string_view code) {
    const auto* const found =
        std::find_if(meanings.begin(), meanings.end(),
                     [&](const CodeMeaning& meaning) { return meaning.code == code; });
    return found == meanings.end() ? nullptr : found;
}

/// What the server said, as it may stand in a message.
std::string printable(std::string_view text) {
    constexpr std::size_t shown_max = 300;
    std::string out(text.substr(0, shown_max));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
    return out;
}

std::string detail_of(const HttpResponse& response, const ErrorDocument& document) {
    std::string detail;
    const std::string message = printable(document.message);
    if (!message.empty())
        detail = format("The store says: {}{}", message, message.ends_with('.') ? "" : ".");
    const std::string id = printable(response.header("x-amz-request-id"));
    if (!id.empty()) detail += format("{}Request id {}.", detail.empty() ? "" : " ", id);
    return detail;
}

/// No S3 answers a request of ours without a code in these cases: somebody else does.
std::string hint_for(const HttpResponse& response, const std::string& code) {
    const bool is_strange = response.status == 400 || response.status == 404 ||
                            response.status == 405 ||
                            (response.status >= 301 && response.status <= 308);
    // HEAD has no document.
    if (!code.empty() || !is_strange || response.body.empty()) return "";
    return "That is no answer of an S3 store. Check endpoint: its host and port, and whether it "
           "begins with https:// or http://.";
}

}  // namespace

ErrorKind kind_of(int status, std::string_view code) {
    if (const CodeMeaning* meaning = find_meaning(code)) return meaning->kind;
    switch (status) {
        case 401:
        case 403: return ErrorKind::denied;
        // Without S3's own document, a proxy or a web server may have answered.
        case 404:
        case 408:
        case 409:
        case 412:
        case 429: return ErrorKind::unavailable;
        case 501: return ErrorKind::usage;
        case 507: return ErrorKind::io;
        default: return status >= 300 && status < 500 ? ErrorKind::usage : ErrorKind::unavailable;
    }
}

ErrorDocument error_document_of(const HttpResponse& response) {
    return read_error(response.body).value_or(ErrorDocument{});
}

Error make_error(const HttpResponse& response, const std::string& action) {
    const ErrorDocument document = error_document_of(response);
    const std::string code = printable(document.code);
    const CodeMeaning* meaning = find_meaning(document.code);
    const std::string outcome = code.empty() ? format("status {}", response.status)
                                             : format("{} (status {})", code, response.status);
    return Error(kind_of(response.status, document.code), format("{}: {}", action, outcome))
        .with_detail(detail_of(response, document))
        .with_hint(meaning != nullptr ? std::string(meaning->hint) : hint_for(response, code))
        .with_retry_after(retry_after_of(response));
}

bool is_error_in_disguise(const HttpResponse& response) {
    return response.status < 300 && !response.body.empty() && read_error(response.body).has_value();
}

}  // namespace walden::storage::s3
