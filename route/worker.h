// Worker: the thin part of trivial-rewrite. Takes ResolveRequest and ExpandRequest from a channel,
// asks the engines, answers. Anything a table cannot tell is logged and answered as temporary.
#pragma once

#include "lib/ipc/channel.h"
#include "lib/ipc/messages/route.h"
#include "lib/service/service.h"
#include "lib/table/address_class.h"
#include "lib/table/match_list.h"

#include "route/options.h"
#include "route/resolver.h"
#include "route/rewriter.h"

namespace postern::route {

class Engine {
  public:
    Engine(Options options, Options probe_options);
    explicit Engine(const Options& options) : Engine(options, options) {}
    Engine(const Engine&) = delete;  // the parts refer to each other
    Engine& operator=(const Engine&) = delete;

    ipc::ResolveAnswer resolve(const ipc::ResolveRequest& request);
    ipc::HeaderAnswer rewrite_header(const ipc::HeaderRequest& request);
    ipc::ExpandAnswer expand(const ipc::ExpandRequest& request);

  private:
    ipc::FlushSite flush_site(std::string_view recipient);

    const Options options_, probe_options_;
    table::DomainClasses classes_;
    Rewriter rewriter_;
    Resolver resolver_, probe_resolver_;
    table::MatchList flush_sites_;
};

// Answers one question. The conversation is over when the peer closes it or says something that it
// may not.
service::Worker::Conversation serve(Engine& engine, ipc::Channel& channel);

}  // namespace postern::route
