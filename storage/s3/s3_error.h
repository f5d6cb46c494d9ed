// From an answer of S3 to an Error.
#pragma once

#include "base/error.h"
#include "storage/http/http.h"
#include "storage/s3/s3_documents.h"

#include <optional>
#include <string>
#include <string_view>

namespace walden::storage::s3 {

/// What a caller does about an answer: the code decides where there is one, else the status.
[[nodiscard]] ErrorKind kind_of(int status, std::string_view code);

/// The error document of an answer, empty where it has none (HEAD never has one).
[[nodiscard]] ErrorDocument error_document_of(const HttpResponse& response);

/// `action` is what was attempted: `get "wal/..." from s3://bucket`. The server's words go into the
/// detail, as far as they are printable.
[[nodiscard]] Error make_error(const HttpResponse& response, const std::string& action);

/// True for a 2xx whose body is an error document: S3 sends the status before it has done the work.
[[nodiscard]] bool is_error_in_disguise(const HttpResponse& response);

}  // namespace walden::storage::s3
