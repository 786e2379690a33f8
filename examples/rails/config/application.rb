require_relative "boot"

require "rails"
require "active_record/railtie"
require "action_controller/railtie"

Bundler.require(*Rails.groups)

# A page that counts its visits, and one that says that the app is up.
module Hello
  class Application < Rails::Application
    config.load_defaults 7.2
    config.eager_load = true
    config.consider_all_requests_local = false
    config.logger = ActiveSupport::TaggedLogging.new(ActiveSupport::Logger.new($stdout))
    config.active_record.dump_schema_after_migration = false
  end
end
