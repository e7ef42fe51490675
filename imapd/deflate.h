// The streams of COMPRESS=DEFLATE (RFC 4978): raw deflate, flushed whenever a reply is. The only
// place that knows zlib.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"

struct z_stream_s;

namespace postern::imapd {

class Deflater {
  public:
    static Result<Deflater> make();
    // The compressed form, which the peer can read to its end.
    Result<std::string> compress(std::string_view bytes);

  private:
    struct End {
        void operator()(z_stream_s* stream) const;
    };
    std::unique_ptr<z_stream_s, End> stream_;
};

class Inflater {
  public:
    static Result<Inflater> make();
    // What the bytes add to the stream: at most about a thousand times as much, so the caller feeds
    // small pieces. Errc::invalid: they are no deflate stream, or one that has ended.
    Result<std::string> expand(std::string_view bytes);

  private:
    struct End {
        void operator()(z_stream_s* stream) const;
    };
    std::unique_ptr<z_stream_s, End> stream_;
};

}  // namespace postern::imapd
