class GreetingsController < ApplicationController
  def show
    Visit.create!
    render plain: "Hello from Rails #{ENV.fetch("KAMAL_VERSION", "here")}, visit #{Visit.count}\n"
  end
end
