// The strict S3 server of the tests (s3_server.py) as a fixture: what it does and which faults it
// knows is described there.
#pragma once

#include "support/scratch_directory.h"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace walden::testing {

/// A request as the server's log has it.
struct S3Request {
    std::string method;
    std::string operation;  ///< "put_object", "list", ...; empty for what the server does not do
    std::string bucket;
    std::string key;
    std::map<std::string, std::string> query;                  ///< decoded
    std::vector<std::pair<std::string, std::string>> headers;  ///< as sent
    std::optional<int> status;                                 ///< nullopt without an answer
    std::uint64_t body_size = 0;
    std::uint64_t connection = 0;  ///< numbered from 1
    double seconds = 0;            ///< monotonic, at its arrival

    /// The value of a header by its lower-case name, nullopt without it.
    [[nodiscard]] std::optional<std::string> header(const std::string& name) const;
};

struct S3StoredObject {
    std::string bucket;
    std::string key;
    std::uint64_t size = 0;
    std::string sha256;  ///< in hex
    std::string etag;
    std::map<std::string, std::string> metadata;
    std::map<std::string, std::string> checksums;  ///< by "crc32c", ...; in base64
    std::string storage_class;
    std::map<std::string, std::string> encryption;  ///< the headers, by lower-case name
    std::string lock_mode;
    std::string retain_until;
};

struct S3Upload {
    std::string bucket;
    std::string key;
    std::string upload_id;
    std::size_t part_count = 0;
};

struct S3State {
    std::vector<S3StoredObject> objects;  ///< in the order of their keys
    std::vector<S3Upload> uploads;

    /// The object under that key in any bucket, nullptr without it.
    [[nodiscard]] const S3StoredObject* find(const std::string& key) const;
};

struct S3ServerOptions {
    enum class Transport : std::uint8_t { plain, tls };

    Transport transport = Transport::plain;
    std::vector<std::string> arguments;  ///< further options of s3_server.py
};

/// A running server with the bucket "walden-test". It ends with this object, and with the process.
/// Throws Error where python3 (for TLS also openssl) is missing or a control request fails. The
/// control functions are safe from several threads.
class S3Server {
public:
    static constexpr const char* bucket = "walden-test";
    static constexpr const char* region = "us-east-1";
    static constexpr const char* access_key = "AKIAWALDENTEST000001";
    static constexpr const char* secret_key = "walden/test+secret/key/0000000000000001";

    explicit S3Server(const S3ServerOptions& options = {});
    S3Server(const S3Server&) = delete;
    S3Server& operator=(const S3Server&) = delete;
    ~S3Server();

    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// "http://127.0.0.1:PORT", or https.
    [[nodiscard]] std::string endpoint() const;

    /// The certificate that signs the server's, for 127.0.0.1 and *.s3.localhost; TLS only.
    [[nodiscard]] std::string ca_file() const { return scratch_.path() + "/cert.pem"; }

    /// Replaces all rules by a JSON list of them.
    void faults(const std::string& rules) const;

    /// Changes how the server differs from AWS: a JSON object, see s3_server.py.
    void options(const std::string& changes) const;

    /// Drops objects, uploads, rules, log and changed options.
    void reset() const;

    /// All requests since the reset, in the order of their arrival.
    [[nodiscard]] std::vector<S3Request> log() const;

    [[nodiscard]] S3State state() const;

    /// Kills the server, as a crash would; everything it kept is gone.
    void kill();

private:
    void make_certificate() const;
    void wait_for_port();
    [[nodiscard]] std::string control(const std::string& request_line,
                                      const std::string& body) const;

    ScratchDirectory scratch_;
    S3ServerOptions options_;
    pid_t pid_ = -1;
    int stdin_ = -1;
    std::uint16_t port_ = 0;
};

}  // namespace walden::testing
